"""What could be wrong with a cluster: brokers, topics, the store, the way of an event from stage to stage."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import KafkaException
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from leadflow import pipeline
from leadflow.cluster import Cluster, NotReady, cluster_outbox, open_cluster
from leadflow.doctor import Doorway, Finding, behind_doors
from leadflow.life import missing_now
from leadflow.settings import Settings
from leadflow.terminal import tell
from store.company import CompanyCache
from store.database import Database
from stream.content import Content, ContentAway, ContentGone
from stream.host import StageHost
from stream.kafka.producer import BrokersAway
from stream.kafka.topics import admin_client, plan, topics_of
from stream.log import Place

MANY = 10_000
"""Events that wait for a stage: some seconds of its work; more, and it stands or cannot keep up."""


def examine_cluster(settings: Settings) -> Iterator[Finding]:
    """Yield the findings, from the ground up; what builds on something that is broken is left out."""
    try:
        changes = plan(admin_client(str(settings.kafka)), topics_of(settings.partitions))
    except KafkaException as error:
        what = f"Kafka at {settings.kafka} does not answer ({error.args[0].name()})"
        yield Finding(
            False, what, tell("start the brokers, check LEADFLOW_KAFKA", "请启动 Kafka，检查 LEADFLOW_KAFKA")
        )
        return
    for change in changes:
        yield Finding(
            False,
            tell(f"topic {change.topic}: {change.what}", f"主题 {change.topic}：{change.what}"),
            "leadflow topics apply",
        )
    if not changes:
        yield Finding(
            True,
            tell(
                f"Kafka at {settings.kafka}: topics are as planned", f"Kafka {settings.kafka}：主题与计划一致"
            ),
        )
    try:
        cluster = open_cluster(settings)
    except NotReady as refused:
        yield Finding(False, str(refused))
        return
    except DBAPIError as error:
        what = f"PostgreSQL does not answer ({type(error.orig).__name__})"
        yield Finding(
            False,
            what,
            tell("start it, check LEADFLOW_DATABASE_URL", "请启动数据库，检查 LEADFLOW_DATABASE_URL"),
        )
        return
    try:
        yield from _inside(cluster, settings)
    except BrokersAway as error:
        yield Finding(False, f"Kafka: {error}")
    finally:
        cluster.close()


def _inside(cluster: Cluster, settings: Settings) -> Iterator[Finding]:
    with cluster.store.read() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
    yield Finding(True, f"PostgreSQL {version}")
    yield examine_parts(cluster.store)
    waiting = cluster_outbox(cluster).backlog()
    fix = tell("is `leadflow timers` running? see its log", "leadflow timers 是否在运行？请查看其日志")
    yield Finding(
        waiting < MANY, tell(f"{waiting} events wait in the outbox", f"发件箱中有 {waiting} 条等待"), fix
    )
    if cluster.content.url is not None:
        yield examine_content(cluster.content)
    readers = dict.fromkeys((*pipeline.DOOR_TOPICS, *pipeline.STORE_TOPICS), cluster.reader)
    partitions = {one.name: one.partitions for one in topics_of(settings.partitions)}
    for stage in pipeline.stages(CompanyCache()):
        host = StageHost(stage, readers, cluster.store, cluster.store_log, lambda event: event.time_us)
        places = [Place(topic, part) for topic in stage.topics for part in range(partitions[topic])]
        waiting = host.backlog(places)
        fix = tell(
            f"is `leadflow stages` running? see its log for stage {stage.name}",
            "leadflow stages 是否在运行？请查看其日志",
        )
        yield Finding(
            waiting < MANY,
            tell(f"{waiting} events wait for {stage.name}", f"环节 {stage.name} 有 {waiting} 条等待"),
            fix,
        )
    door = Doorway(settings.doors_url or settings.local_url, settings.smtp_port, cluster.keys.probe_token)
    yield from behind_doors(cluster, door, settings)


def examine_content(content: Content) -> Finding:
    """Return whether the store of large bodies takes an object and gives it back."""
    try:
        content.check()
    except (ContentAway, ContentGone) as error:
        fix = tell("see LEADFLOW_CONTENT", "请检查 LEADFLOW_CONTENT")
        return Finding(False, tell(f"large bodies: {error}", f"大正文存储出错：{error}"), fix)
    return Finding(True, tell(f"large bodies lie in {content.url}", f"大正文存于 {content.url}"))


def examine_parts(store: Database) -> Finding:
    """Return whether each part of the cluster has a process that was heard of lately, and none of them has a trouble."""
    if (what := missing_now(store)) is None:
        return Finding(True, tell("doors, timers and every stage run", "接入、定时和各环节都有进程在运行"))
    fix = tell("start it, or see the log of the process that has it", "请启动，或查看相应进程的日志")
    return Finding(False, tell(f"the cluster is not whole: {what}", f"集群不完整：{what}"), fix)
