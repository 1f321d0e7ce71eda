from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUT: _ClassVar[Direction]
    IN: _ClassVar[Direction]
OUT: Direction
IN: Direction

class Upward(_message.Message):
    __slots__ = ("hello", "batch", "leftover")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    LEFTOVER_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: Batch
    leftover: Leftover
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., leftover: _Optional[_Union[Leftover, _Mapping]] = ...) -> None: ...

class Downward(_message.Message):
    __slots__ = ("welcome", "ack", "order", "hold_from", "settings", "leftover_refused", "glass")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    HOLD_FROM_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    LEFTOVER_REFUSED_FIELD_NUMBER: _ClassVar[int]
    GLASS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    ack: Ack
    order: Order
    hold_from: HoldFrom
    settings: Settings
    leftover_refused: LeftoverRefused
    glass: Glass
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., order: _Optional[_Union[Order, _Mapping]] = ..., hold_from: _Optional[_Union[HoldFrom, _Mapping]] = ..., settings: _Optional[_Union[Settings, _Mapping]] = ..., leftover_refused: _Optional[_Union[LeftoverRefused, _Mapping]] = ..., glass: _Optional[_Union[Glass, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("contract", "agent", "boot_id", "node", "version", "call")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    contract: int
    agent: str
    boot_id: str
    node: str
    version: str
    call: int
    def __init__(self, contract: _Optional[int] = ..., agent: _Optional[str] = ..., boot_id: _Optional[str] = ..., node: _Optional[str] = ..., version: _Optional[str] = ..., call: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("contract", "version", "next_batch", "collector_key", "selection")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NEXT_BATCH_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_KEY_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    contract: int
    version: str
    next_batch: int
    collector_key: bytes
    selection: Selection
    def __init__(self, contract: _Optional[int] = ..., version: _Optional[str] = ..., next_batch: _Optional[int] = ..., collector_key: _Optional[bytes] = ..., selection: _Optional[_Union[Selection, _Mapping]] = ...) -> None: ...

class Selection(_message.Message):
    __slots__ = ("selectors", "heirs")
    SELECTORS_FIELD_NUMBER: _ClassVar[int]
    HEIRS_FIELD_NUMBER: _ClassVar[int]
    selectors: _containers.RepeatedCompositeFieldContainer[PodSelector]
    heirs: _containers.RepeatedCompositeFieldContainer[PodSelector]
    def __init__(self, selectors: _Optional[_Iterable[_Union[PodSelector, _Mapping]]] = ..., heirs: _Optional[_Iterable[_Union[PodSelector, _Mapping]]] = ...) -> None: ...

class PodSelector(_message.Message):
    __slots__ = ("mode", "namespaces", "service_accounts", "containers", "nodes", "labels", "only_raises", "on_failure", "verdict_timeout_s", "hold_limit_s", "record", "scan", "uncovered", "owners")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ONLY_RAISES_FIELD_NUMBER: _ClassVar[int]
    ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    HOLD_LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SCAN_FIELD_NUMBER: _ClassVar[int]
    UNCOVERED_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    mode: str
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    service_accounts: _containers.RepeatedScalarFieldContainer[str]
    containers: _containers.RepeatedScalarFieldContainer[str]
    nodes: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.ScalarMap[str, str]
    only_raises: bool
    on_failure: str
    verdict_timeout_s: str
    hold_limit_s: str
    record: str
    scan: str
    uncovered: str
    owners: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, mode: _Optional[str] = ..., namespaces: _Optional[_Iterable[str]] = ..., service_accounts: _Optional[_Iterable[str]] = ..., containers: _Optional[_Iterable[str]] = ..., nodes: _Optional[_Iterable[str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., only_raises: _Optional[bool] = ..., on_failure: _Optional[str] = ..., verdict_timeout_s: _Optional[str] = ..., hold_limit_s: _Optional[str] = ..., record: _Optional[str] = ..., scan: _Optional[str] = ..., uncovered: _Optional[str] = ..., owners: _Optional[_Iterable[str]] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("number", "wall_offset_ns", "records", "size")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    WALL_OFFSET_NS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    number: int
    wall_offset_ns: int
    records: bytes
    size: int
    def __init__(self, number: _Optional[int] = ..., wall_offset_ns: _Optional[int] = ..., records: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class Leftover(_message.Message):
    __slots__ = ("agent", "sealed_key", "number", "frame", "last", "boot_id")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SEALED_KEY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    agent: str
    sealed_key: bytes
    number: int
    frame: bytes
    last: Batch
    boot_id: str
    def __init__(self, agent: _Optional[str] = ..., sealed_key: _Optional[bytes] = ..., number: _Optional[int] = ..., frame: _Optional[bytes] = ..., last: _Optional[_Union[Batch, _Mapping]] = ..., boot_id: _Optional[str] = ...) -> None: ...

class LeftoverRefused(_message.Message):
    __slots__ = ("agent", "reason")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent: str
    reason: str
    def __init__(self, agent: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("batch", "agent")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    batch: int
    agent: str
    def __init__(self, batch: _Optional[int] = ..., agent: _Optional[str] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("hold", "skip", "write", "answer", "again", "wait", "kill")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    PASS_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    WRITE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    hold: str
    skip: Skip
    write: Write
    answer: Answer
    again: Again
    wait: Wait
    kill: Kill
    def __init__(self, hold: _Optional[str] = ..., skip: _Optional[_Union[Skip, _Mapping]] = ..., write: _Optional[_Union[Write, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., again: _Optional[_Union[Again, _Mapping]] = ..., wait: _Optional[_Union[Wait, _Mapping]] = ..., kill: _Optional[_Union[Kill, _Mapping]] = ..., **kwargs) -> None: ...

class Pass(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Skip(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Write(_message.Message):
    __slots__ = ("data", "digest", "template", "parts", "released")
    DATA_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    digest: bytes
    template: str
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    released: int
    def __init__(self, data: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., template: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., released: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("data", "parts", "released")
    DATA_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    released: int
    def __init__(self, data: _Optional[bytes] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., released: _Optional[int] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("begin", "end", "template", "refusal")
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    begin: int
    end: int
    template: str
    refusal: Refusal
    def __init__(self, begin: _Optional[int] = ..., end: _Optional[int] = ..., template: _Optional[str] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("id", "message", "h2_stream", "credit", "bodiless")
    ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    H2_STREAM_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    BODILESS_FIELD_NUMBER: _ClassVar[int]
    id: str
    message: str
    h2_stream: int
    credit: int
    bodiless: bool
    def __init__(self, id: _Optional[str] = ..., message: _Optional[str] = ..., h2_stream: _Optional[int] = ..., credit: _Optional[int] = ..., bodiless: _Optional[bool] = ...) -> None: ...

class Again(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Wait(_message.Message):
    __slots__ = ("until_ns",)
    UNTIL_NS_FIELD_NUMBER: _ClassVar[int]
    until_ns: int
    def __init__(self, until_ns: _Optional[int] = ...) -> None: ...

class Kill(_message.Message):
    __slots__ = ("target", "id", "order")
    class Target(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CONNECTION: _ClassVar[Kill.Target]
        PROCESS: _ClassVar[Kill.Target]
        WORKLOAD: _ClassVar[Kill.Target]
    CONNECTION: Kill.Target
    PROCESS: Kill.Target
    WORKLOAD: Kill.Target
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    target: Kill.Target
    id: str
    order: str
    def __init__(self, target: _Optional[_Union[Kill.Target, str]] = ..., id: _Optional[str] = ..., order: _Optional[str] = ...) -> None: ...

class HoldFrom(_message.Message):
    __slots__ = ("stream", "direction", "position")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    stream: str
    direction: Direction
    position: int
    def __init__(self, stream: _Optional[str] = ..., direction: _Optional[_Union[Direction, str]] = ..., position: _Optional[int] = ...) -> None: ...

class Settings(_message.Message):
    __slots__ = ("batch_bytes", "batch_delay_ms", "selection")
    BATCH_BYTES_FIELD_NUMBER: _ClassVar[int]
    BATCH_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    batch_bytes: int
    batch_delay_ms: int
    selection: Selection
    def __init__(self, batch_bytes: _Optional[int] = ..., batch_delay_ms: _Optional[int] = ..., selection: _Optional[_Union[Selection, _Mapping]] = ...) -> None: ...

class Glass(_message.Message):
    __slots__ = ("id", "for_ns", "who", "why", "end")
    ID_FIELD_NUMBER: _ClassVar[int]
    FOR_NS_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    id: str
    for_ns: int
    who: str
    why: str
    end: bool
    def __init__(self, id: _Optional[str] = ..., for_ns: _Optional[int] = ..., who: _Optional[str] = ..., why: _Optional[str] = ..., end: _Optional[bool] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("stream", "protocol", "out_position", "in_position", "state", "layout")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    OUT_POSITION_FIELD_NUMBER: _ClassVar[int]
    IN_POSITION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    stream: str
    protocol: str
    out_position: int
    in_position: int
    state: bytes
    layout: int
    def __init__(self, stream: _Optional[str] = ..., protocol: _Optional[str] = ..., out_position: _Optional[int] = ..., in_position: _Optional[int] = ..., state: _Optional[bytes] = ..., layout: _Optional[int] = ...) -> None: ...
