"""Kafka as the stream of the cluster: messages, topics, a reader, a producer and the door that spools."""
