"""Which level two values reach."""

from __future__ import annotations

import pytest

from enrich.match.companies import company_of
from enrich.match.compare import COMPARISONS, MISSING
from enrich.match.compare_values import AREA_LEVELS
from enrich.match.record import Record, record_of

BY_NAME = {comparison.name: comparison for comparison in COMPARISONS}
FIELD = {"name": "full_name", "phone": "phone", "email": "email", "company": "company", "address": "address",
         "birth_date": "birth_date", "national_id": "national_id", "other": "other"}  # fmt: skip


def level(comparison: str, one: str, other: str) -> str:
    """Return the level of two texts, the same in both directions."""
    a, b = (record_of(text, {FIELD[comparison]: [text]}) for text in (one, other))
    found = BY_NAME[comparison].level(a, b)
    assert found == BY_NAME[comparison].level(b, a)
    return "missing" if found == MISSING else BY_NAME[comparison].levels[found]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("张伟", "張偉", "exact"),
        ("欧阳娜娜", "欧阳娜娜 女士", "exact"),
        ("萧红", "肖红", "written_otherwise"),
        ("Smith John", "John Smith", "written_otherwise"),
        ("李娜", "Li Na", "romanised"),
        ("李娜", "Na LI", "romanised"),
        ("王建国", "Wang Jian-Guo", "romanised"),
        ("王建国", "Jianguo Wang", "romanised"),
        ("Bob Smith", "Robert Smith", "nickname"),
        ("张伟", "章伟", "typo"),
        ("张伟", "张玮", "typo"),
        ("Jphn Smith", "John Smith", "typo"),
        ("John Smiht", "John Smith", "typo"),
        ("Katherine Johnson", "Catherine Jonson", "two_typos"),
        ("王建国", "王建军", "one_character"),
        ("王建国", "王建", "one_character"),
        ("J. Smith", "John Smith", "initials"),
        ("王先生", "王建国", "part"),
        ("Mary Ann Smith", "Mary Smith", "nickname"),
        ("Mary Ann Smith", "Mary Jane Smith", "part"),
        ("Robert", "Bob Smith", "part"),
        ("王建国", "李建国", "given"),
        ("Anna Smith", "Anna Kowalski", "given"),
        ("王建国", "王小明", "family"),
        ("张伟", "张敏", "family"),
        ("John Smith", "Peter Smith", "family"),
        ("李娜", "Li Wei", "family"),
        ("Mark Kusha", "Mary Kusha", "family"),
        ("John Smith Jr.", "John Smith Sr", "family"),
        ("John Smith Jr.", "John Smith", "exact"),
        ("Susan Mooney", "Susanne Mooney", "two_typos"),
        ("Maria Medina-Sentosa", "Maria Sentosa", "part"),
        ("张伟", "李娜", "else"),
        ("John Smith", "Peter Jones", "else"),
        ("张伟", "John Smith", "else"),
        ("张伟", "未填", "missing"),
    ],
)
def test_names(one: str, other: str, expected: str) -> None:
    assert level("name", one, other) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("13812345678", "+86 138-1234-5678", "same"),
        ("13812345678", "13812345687", "one_digit"),
        ("13812345678", "13812345698", "one_digit"),
        ("010-62561155转801", "01062561155-801", "same_extension"),
        ("010-62561155转801", "01062561155-802", "same_landline"),
        ("010-62561155转801", "01062561155", "same_landline"),
        ("010-62561155", "010-62561188", "same_exchange"),
        ("13812345678", "13987654321", "else"),
        ("13812345678", "13800138000", "missing"),
    ],
)
def test_phones(one: str, other: str, expected: str) -> None:
    assert level("phone", one, other) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("zhangwei88@qq.com", "ZhangWei88@QQ.com", "same"),
        ("john.smith@gmail.com", "johnsmith+news@googlemail.com", "same"),
        ("zhangwei88@gmail.com", "zhangwei88@gmial.com", "typo"),
        ("zhangwei88@qq.com", "zhangwie88@qq.com", "typo"),
        ("zhangwei88@126.com", "zhangwei88@163.com", "same_local_free"),
        ("john.smith@siemens.com", "john.smith@bosch.de", "same_local_own"),
        ("zhangwei88@qq.com", "zhangwei88@163.com", "same_local_free"),
        ("info@daheng.cn", "info@daheng.cn", "same_role"),
        ("zhang@daheng.cn", "li@daheng.cn", "same_domain"),
        ("info@daheng.cn", "li@daheng.cn", "same_domain"),
        ("info@daheng.cn", "info@bosch.de", "else"),
        ("li@qq.com", "li@163.com", "else"),
        ("zhangwei88@qq.com", "liuna77@qq.com", "else"),
        ("zhangwei88@qq.com", "test@test.com", "missing"),
    ],
)
def test_mailboxes(one: str, other: str, expected: str) -> None:
    assert level("email", one, other) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("北京大恒信息技术有限公司", "北京大恒信息技术有限公司", "exact"),
        ("北京大恒信息技术有限公司", "大恒信息技术", "core"),
        ("北京大恒信息技术有限公司", "大恒信息", "core"),
        ("Siemens AG", "SIEMENS Aktiengesellschaft", "core"),
        ("大恒信息", "Daheng Info", "romanised"),
        ("北京大恒信息技术有限公司", "DAHENG Technology Ltd.", "romanised"),
        ("华为技术有限公司", "华为", "short_brand"),
        ("阿里巴巴网络技术有限公司", "阿里巴巴", "brand"),
        ("华信", "北京华信", "short_brand"),
        ("大恒信息技术有限公司", "大恒国际贸易有限公司", "branch"),
        ("大恒（北京）信息技术有限公司", "大恒（上海）信息技术有限公司", "branch"),
        ("上海新希望六和饲料", "上海新希望六合饲料", "typo"),
        ("Microsoft Corporation", "Mircosoft", "typo"),
        ("中国石油化工股份有限公司", "中石化", "abbreviation"),
        ("International Business Machines Corp.", "I.B.M.", "abbreviation"),
        ("北京大恒信息技术有限公司", "北京大恒信息技术有限公司上海分公司", "branch"),
        ("北京华联超市", "上海华联超市", "branch"),
        ("大恒信息有限公司", "永恒信息有限公司", "else"),
        ("武汉智源自动化设备集团有限公司", "武武汉智源自动化设备集团有限公司", "most_words"),
        ("上海大众汽车有限公司", "上海通用汽车有限公司", "else"),
        ("Siemens AG", "Bosch GmbH", "else"),
        ("Koninklijke Philips Electronics NV", "Koninkijke Phillips", "most_words"),
        ("ASML Netherlands B.V.", "Hitachi Netherlands B V", "else"),
        ("科技有限公司", "科技有限公司", "missing"),
    ],
)
def test_companies(one: str, other: str, expected: str) -> None:
    assert level("company", one, other) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1990-01-02", "1990/1/2", "same"),
        ("1990-01-02", "1990-02-01", "day_month_swapped"),
        ("1990-01-02", "1990-01-12", "one_digit"),
        ("1990-01-02", "1990-01-29", "month"),
        ("1990-03-02", "1964-03-02", "day_month"),
        ("1990-01-02", "1990-11-29", "year"),
        ("1990-01-02", "1985-11-29", "decade"),
        ("1990-01-02", "1955-11-29", "else"),
        ("1990-01-02", "1900-01-01", "missing"),
    ],
)
def test_birth_dates(one: str, other: str, expected: str) -> None:
    assert level("birth_date", one, other) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("海淀区中关村大街1号", "北京市海淀区中关村大街1号", "same"),
        ("中关村大街1号海龙大厦8层", "中关村大街1号海龙大厦", "most_words"),
        ("12 High Street, Flat 3", "12 High St", "most_words"),
        ("12 High Street", "14 High Street", "else"),
        ("科技园路367号7栋1802室", "科技园路41号25栋351室", "else"),
        ("12 High Street, Flat 3", "12 High Road, Garden House 4", "some_words"),
        ("中关村大街1号", "世纪大道100号", "else"),
    ],
)
def test_addresses(one: str, other: str, expected: str) -> None:
    assert level("address", one, other) == expected


def test_identity_numbers() -> None:
    assert level("national_id", "11010119900307803X", "11010119900307803x") == "same"
    assert level("national_id", "110101199003078030", "110101199003078031") == "one_off"
    assert level("national_id", "110101199003078030", "101101199003078031") == "two_off"
    assert level("national_id", "48213579", "48215397") == "else"
    assert level("national_id", "110101199003078030", "310101198012011234") == "else"


def test_areas_agree_by_the_narrowest() -> None:
    def area(**fields: str) -> Record:
        return record_of("a", {name: [text] for name, text in fields.items()})

    def found(a: Record, b: Record) -> str:
        at = BY_NAME["area"].level(a, b)
        return AREA_LEVELS[at] if at >= 0 else "missing"

    assert found(area(city="苏州", postcode="215000"), area(city="苏州市", postcode="215000")) == "postcode"
    assert found(area(city="苏州", postcode="215000"), area(city="Suzhou", postcode="100080")) == "city"
    assert found(area(postcode="215000"), area(postcode="215001")) == "postcode_near"
    assert found(area(city="Birmingham"), area(city="Birmingam")) == "city_typo"
    assert found(area(city="苏州", region="江苏"), area(city="南京", region="江苏省")) == "region"
    assert found(area(city="苏州"), area(city="北京")) == "else"
    assert found(area(city="苏州"), area(postcode="215000")) == "missing"


def test_the_best_of_several_values_counts() -> None:
    one = record_of("a", {"phone": ["13812345678", "13987654321"], "full_name": ["张伟", "Zhang Wei"]})
    other = record_of("b", {"phone": ["13700001111", "13987654321"], "full_name": ["Wei Zhang"]})
    assert BY_NAME["phone"].level(one, other) == 0
    assert BY_NAME["name"].level(one, other) == BY_NAME["name"].levels.index("written_otherwise")


def test_the_same_value_is_found_among_many() -> None:
    numbers = [f"1381{i:03}{i * 7 % 10000:04}" for i in range(40)]
    one = record_of("a", {"phone": numbers})
    other = record_of("b", {"phone": [f"1390{i:03}{i * 13 % 10000:04}" for i in range(39)] + [numbers[-1]]})
    assert BY_NAME["phone"].level(one, other) == 0


def test_ladders_have_names_of_their_own_and_end_with_else() -> None:
    for comparison in COMPARISONS:
        assert len(set(comparison.levels)) == len(comparison.levels)
        assert comparison.levels[-1] == "else"
        assert comparison.shared <= set(comparison.levels[:-1])
        assert comparison.frequent <= set(comparison.levels[:-1])


def test_generic_words_alone_do_not_make_an_overlap() -> None:
    one, other = company_of("华宇网络科技有限公司"), company_of("信达网络科技有限公司")
    assert one is not None
    assert other is not None
    assert not one.words & other.words
