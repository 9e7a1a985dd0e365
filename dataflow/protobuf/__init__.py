"""The contract's message as Protobuf: the schema and its checks, bytes to messages, messages to rows.

The only part of the program that knows the library `protobuf`.
"""
