import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_OPENED: _ClassVar[Status]
    STATUS_UNREAD: _ClassVar[Status]
    STATUS_ARCHIVED: _ClassVar[Status]
STATUS_UNSPECIFIED: Status
STATUS_OPENED: Status
STATUS_UNREAD: Status
STATUS_ARCHIVED: Status

class Message(_message.Message):
    __slots__ = ("user_id", "subject_id", "message_text", "status", "cloudinary_url", "length_seconds", "created_at", "updated_at")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TEXT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CLOUDINARY_URL_FIELD_NUMBER: _ClassVar[int]
    LENGTH_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    subject_id: str
    message_text: str
    status: Status
    cloudinary_url: str
    length_seconds: int
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    def __init__(self, user_id: _Optional[str] = ..., subject_id: _Optional[str] = ..., message_text: _Optional[str] = ..., status: _Optional[_Union[Status, str]] = ..., cloudinary_url: _Optional[str] = ..., length_seconds: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
