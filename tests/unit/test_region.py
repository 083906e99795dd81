"""Where a lead comes from: what people write, call and are named, against the region that a sales team expects."""

from __future__ import annotations

import pytest

from enrich.phone import parse_phone
from enrich.region import region_of
from schemas.lead import FieldName, FieldValue


def _field(name: FieldName, text: str, value: str | None = None) -> FieldValue:
    if name == "phone" and (phone := parse_phone(text)):
        value = phone.e164
    return FieldValue(name=name, received=text, value=value, origin=f"form:{name}")


def _place(**texts: str) -> str:
    """Return `province/city` for one lead; fields by name, repeated with a number behind: `phone2`."""
    fields = tuple(_field(name.rstrip("123"), text) for name, text in texts.items())  # type: ignore[arg-type]
    region = region_of(fields)
    return "" if region is None else f"{region.province}/{region.city}" if region.city else region.province


def _basis(**texts: str) -> str | None:
    region = region_of(tuple(_field(name.rstrip("123"), text) for name, text in texts.items()))  # type: ignore[arg-type]
    return region.basis if region else None


ADDRESSES = {
    # full, short, at each level
    "江苏省苏州市工业园区星湖街328号": "江苏/苏州",
    "江苏苏州": "江苏/苏州",
    "江苏省": "江苏",
    "苏州市": "江苏/苏州",
    "苏州工业园区金鸡湖大道1号": "江苏/苏州",
    "中国江苏省无锡市新吴区": "江苏/无锡",
    "江苏省 / 苏州市 / 昆山市": "江苏/苏州",
    "215300 昆山市花桥镇": "江苏/苏州",
    "昆山": "江苏/苏州",
    "江苏昆山": "江苏/苏州",
    "义乌市稠州北路": "浙江/金华",
    "嘉善县": "浙江/嘉兴",
    "上海": "上海/上海",
    "上海市浦东新区张江路1号": "上海/上海",
    "浦东新区": "上海/上海",
    "浦东": "上海/上海",
    "重庆市云阳县": "重庆/重庆",
    "内蒙古呼和浩特": "内蒙古/呼和浩特",
    "内蒙古自治区鄂尔多斯市": "内蒙古/鄂尔多斯",
    "广西壮族自治区南宁市青秀区": "广西/南宁",
    "广西省南宁市": "广西/南宁",
    "内蒙包头": "内蒙古/包头",
    "江苏镇江": "江苏/镇江",
    "宁波镇海": "浙江/宁波",
    "金山区": "上海/上海",
    "新疆伊犁州": "新疆/伊犁",
    "恩施土家族苗族自治州": "湖北/恩施",
    "西双版纳": "云南/西双版纳",
    "湖北省仙桃市": "湖北/仙桃",
    "新疆石河子": "新疆/石河子",
    "杭州市临平区": "浙江/杭州",
    "广东省深圳市南山区科技园": "广东/深圳",
    # one name, several places
    "吉林": "吉林",
    "吉林省": "吉林",
    "吉林市": "吉林/吉林",
    "吉林省吉林市船营区": "吉林/吉林",
    "吉林省长春市朝阳区": "吉林/长春",
    "海南": "海南",
    "海南省海口市": "海南/海口",
    "海南州": "青海/海南",
    "海南藏族自治州共和县": "青海/海南",
    "海南区": "内蒙古/乌海",
    "朝阳区": "",
    "朝阳": "",
    "朝阳区建国路88号": "",
    "朝阳市": "辽宁/朝阳",
    "辽宁朝阳": "辽宁/朝阳",
    "北京朝阳": "北京/北京",
    "北京市朝阳区建国路88号": "北京/北京",
    "鼓楼区": "",
    "江苏省南京市鼓楼区": "江苏/南京",
    "中山": "广东/中山",
    "大连市中山区": "辽宁/大连",
    # streets and houses that bear the name of a place elsewhere
    "北京路20号": "",
    "南京东路100号": "",
    "南京西路": "",
    "上海路": "",
    "中山三路12号": "",
    "中山大学": "",
    "江苏路88弄": "",
    "天津大道": "",
    "上海市南京东路100号": "上海/上海",
    "上海 南京东路100号": "上海/上海",
    "广州市北京路步行街": "广东/广州",
    "青岛香港中路10号": "山东/青岛",
    "北京大厦18层": "",
    # beyond the mainland, traditional characters
    "香港中环皇后大道": "香港/香港",
    "香港特别行政区": "香港/香港",
    "九龙": "香港/香港",
    "澳门": "澳门/澳门",
    "台湾省台北市": "台湾/台北",
    "臺灣高雄": "台湾/高雄",
    "台北市信义区": "台湾/台北",
    "廣東省東莞市": "广东/东莞",
    # English
    "Shanghai": "上海/上海",
    "SUZHOU": "江苏/苏州",
    "Suzhou, Anhui": "安徽/宿州",
    "Jiangsu": "江苏",
    "Jiangsu Province": "江苏",
    "Suzhou City, Jiangsu Province 215000, P.R. China": "江苏/苏州",
    "Room 1203, Suzhou Industrial Park, Suzhou, China": "江苏/苏州",
    "No. 88 Nanjing East Road, Shanghai 200001": "上海/上海",
    "88 Nanjing Rd": "",
    "Beijing West Road 5": "",
    "Zhongshan 2nd Road": "",
    "Taizhou": "",
    "Taizhou, Zhejiang": "浙江/台州",
    "Xi'an": "陕西/西安",
    "Xi An, Shaanxi": "陕西/西安",
    "Taiyuan, Shanxi": "山西/太原",
    "Inner Mongolia": "内蒙古",
    "Hohhot, Inner Mongolia": "内蒙古/呼和浩特",
    "Jilin": "吉林",
    "Jilin, Jilin": "吉林/吉林",
    "Kowloon, Hong Kong": "香港/香港",
    "Taipei, Taiwan": "台湾/台北",
    "Hauptstraße 5, 80331 München": "",
    "Jian Zhang, 5 Main Street, Boston": "",
    "华东区": "",
    "不详": "",
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.items())
def test_an_address_says_where(text: str, expected: str) -> None:
    assert _place(address=text) == expected


COMPANIES = {
    "上海大恒信息技术有限公司": "上海/上海",
    "苏州市恒泰物流有限公司": "江苏/苏州",
    "苏州恒泰物流有限公司": "江苏/苏州",
    "江苏恒泰物流有限公司": "江苏",
    "江苏苏州恒泰物流有限公司": "江苏/苏州",
    "昆山华宇精密机械有限公司": "江苏/苏州",
    "安吉县永兴家具厂": "浙江/湖州",
    "博远（深圳）科技有限公司": "广东/深圳",
    "（深圳）博远科技有限公司": "广东/深圳",
    "博远(苏州工业园区)科技有限公司": "江苏/苏州",
    "北京博远（上海）科技有限公司": "上海/上海",
    "苏州博远（集团）有限公司": "江苏/苏州",
    "苏州博远（江苏）有限公司": "江苏/苏州",
    "博远（中国）有限公司": "",
    "中国电信股份有限公司": "",
    "中国上海博远有限公司": "",
    "北京路百货有限公司": "",
    "南京东路食品商店": "",
    "上海路桥建设有限公司": "上海/上海",
    "上海建筑材料有限公司": "上海/上海",
    "博远上海有限公司": "",
    "恒通物流有限公司": "",
    "阿里巴巴集团": "",
    "安康医疗器械有限公司": "",
    "安康市恒泰医疗器械有限公司": "陕西/安康",
    "东方物流有限公司": "",
    "大理石材有限公司": "",
    "中山大学附属医院": "",
    "朝阳轮胎有限公司": "",
    "吉林化工有限公司": "吉林",
    "香港博远有限公司": "香港/香港",
    "廣州博遠有限公司": "广东/广州",
    "Shanghai Daheng Technology Co., Ltd.": "上海/上海",
    "Shanghai Building Materials Co.": "上海/上海",
    "Boyuan (Shenzhen) Technology Co., Ltd.": "广东/深圳",
    "Beijing Road Trading Co.": "",
    "China Boyuan Shanghai Ltd": "",
    "Boyuan Shanghai Ltd": "",
    "Dali Foods": "",
}


@pytest.mark.parametrize(("name", "expected"), COMPANIES.items())
def test_a_company_is_where_its_name_says(name: str, expected: str) -> None:
    assert _place(company=name) == expected


PHONES = {
    "0512-62881234": "江苏/苏州",
    "021-62881234 转 801": "上海/上海",
    "010 62881234": "北京/北京",
    "+86 755 2688 1234": "广东/深圳",
    "0471-6288123": "内蒙古/呼和浩特",
    "0755-26881234;ext=801": "广东/深圳",
    "028-62881234": "四川",  # Chengdu, Ziyang and Meishan share it
    "13800210000": "上海/上海",
    "13951100000": "江苏/苏州",
    "13800138000": "",  # typed by people who would not give their own
    "021-88888888": "",
    "18612340000": "北京/北京",
    "17312340000": "",  # newer than the data
    "19900000000": "",
    "15400000001": "",
    "400 800 1234": "",
    "+852 2345 6789": "香港/香港",
    "+886 2 2345 6789": "台湾",
    "+49 89 1234567": "",
    "hello": "",
}


@pytest.mark.parametrize(("number", "expected"), PHONES.items())
def test_a_number_was_given_out_somewhere(number: str, expected: str) -> None:
    assert _place(phone=number) == expected


def test_what_was_said_goes_before_what_is_guessed() -> None:
    lead = {
        "address": "杭州市滨江区",
        "company": "苏州恒泰物流有限公司",
        "phone": "13800210000",
        "phone2": "0755-26881234",
    }
    found = []
    for left_out in ("", "address", "company", "phone2", "phone"):
        lead.pop(left_out, "")
        found.append((_basis(**lead), _place(**lead)))
    assert found == [
        ("address", "浙江/杭州"),
        ("company", "江苏/苏州"),
        ("landline", "广东/深圳"),
        ("mobile", "上海/上海"),
        (None, ""),
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"city": "苏州", "region": "江苏省"}, "江苏/苏州"),
        ({"city": "吉林", "region": "吉林"}, "吉林/吉林"),
        ({"city": "朝阳", "region": "辽宁"}, "辽宁/朝阳"),
        ({"city": "朝阳", "region": "北京"}, "北京/北京"),
        ({"city": "朝阳", "address": "北京市朝阳区建国路"}, "北京/北京"),
        ({"city": "Suzhou", "region": "Anhui"}, "安徽/宿州"),
        ({"city": "上海", "region": "上海"}, "上海/上海"),
        ({"city": "浦东", "address": "南京东路1号"}, "上海/上海"),
        ({"region": "华东", "address": "江苏南通"}, "江苏/南通"),
        ({"region": "上海", "city": "苏州"}, "上海/上海"),
        ({"city": "北京路", "company": "武汉恒泰有限公司"}, "湖北/武汉"),
        ({"country": "中国", "city": "成都"}, "四川/成都"),
        ({"country": "Hong Kong"}, "香港/香港"),
        ({"country": "China", "city": "Chengdu"}, "四川/成都"),
        ({"country": "Germany", "phone": "13800210000"}, ""),
        ({"country": "德国", "company": "上海恒泰有限公司"}, ""),
        ({"country": "N/A", "city": "成都"}, "四川/成都"),
    ],
)
def test_fields_speak_together(texts: dict[str, str], expected: str) -> None:
    assert _place(**texts) == expected


def test_the_normalised_value_is_read_where_there_is_one() -> None:
    region = region_of((_field("city", "ＳＨＡＮＧＨＡＩ", "SHANGHAI"),))
    assert region is not None
    assert region.province == "上海"


def test_a_message_that_mentions_a_place_says_nothing() -> None:
    assert region_of((_field("message", "上海的货什么时候到？"),)) is None
