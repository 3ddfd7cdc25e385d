"""The table of protobuf rules, after those of ``buf breaking``: descriptors compared where there is no buf."""

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from slipway_contracts import Kind, breaking, compare

BASE = """
syntax = "proto3";
package shop.v1;
service Shop {
  rpc Find(Wanted) returns (Item);
  rpc Watch(Wanted) returns (stream Item);
  rpc Fill(stream Item) returns (Wanted);
}
message Wanted { string sku = 1; }
message Item {
  reserved 9; reserved "old";
  string name = 1;
  int32 count = 2;
  repeated string tags = 3;
  optional int32 weight = 4;
  oneof price { int64 cents = 5; string words = 6; }
  Kind kind = 7;
  map<string, int32> sizes = 8;
  message Inner { bool a = 1; }
  Inner inner = 10;
}
enum Kind { reserved 7; KIND_UNSPECIFIED = 0; KIND_BOOK = 1; }
"""
CHANGES = [
    ("a field is gone", "int32 count = 2;", "", "field-no-delete"),
    ("a field is gone and reserved", "int32 count = 2;", 'reserved 2; reserved "count";', "field-no-delete"),
    ("a number is used again", "int32 count = 2;", "string colour = 2;", "field-same-name"),
    ("another type", "int32 count = 2;", "int64 count = 2;", "field-same-type"),
    ("another type on the wire", "int32 count = 2;", "string count = 2;", "field-same-type"),
    ("signed otherwise", "int32 count = 2;", "sint32 count = 2;", "field-same-type"),
    ("another name", "int32 count = 2;", "int32 number = 2;", "field-same-name"),
    ("another name in JSON", "int32 count = 2;", 'int32 count = 2 [json_name="n"];', "field-same-json-name"),
    ("another number", "int32 count = 2;", "int32 count = 12;", "field-no-delete"),
    ("becomes repeated", "int32 count = 2;", "repeated int32 count = 2;", "field-same-cardinality"),
    ("is no longer repeated", "repeated string tags = 3;", "string tags = 3;", "field-same-cardinality"),
    ("knows whether it is there", "int32 count = 2;", "optional int32 count = 2;", "field-same-cardinality"),
    ("no longer knows it", "optional int32 weight = 4;", "int32 weight = 4;", "field-same-cardinality"),
    ("leaves its oneof", "int64 cents = 5; string words = 6; }", "string words = 6; } int64 cents = 5;",
     "field-same-oneof"),
    ("enters a oneof", "words = 6; }\n  Kind kind = 7;", "words = 6; Kind kind = 7; }", "field-same-oneof"),
    ("a oneof has another name", "oneof price", "oneof cost", "oneof-no-delete"),
    ("a map becomes a list", "map<string, int32> sizes", "repeated int32 sizes", "field-same-cardinality"),
    ("a map has other values", "map<string, int32> sizes", "map<string, int64> sizes", "field-same-type"),
    ("another message", "Inner inner = 10;", "Wanted inner = 10;", "field-same-type"),
    ("an enum becomes a number", "Kind kind = 7;", "int32 kind = 7;", "field-same-type"),
    ("jstype", "int64 cents = 5;", "int64 cents = 5 [jstype = JS_STRING];", "field-same-jstype"),
    ("a reservation is lifted", 'reserved 9; reserved "old";', 'reserved "old";', "reserved-message-no-delete"),
    ("a reserved name is lifted", 'reserved 9; reserved "old";', "reserved 9;", "reserved-message-no-delete"),
    ("an enum's reservation is lifted", "enum Kind { reserved 7;", "enum Kind {", "reserved-enum-no-delete"),
    ("a value is gone", "KIND_BOOK = 1;", "", "enum-value-no-delete"),
    ("a value has another name", "KIND_BOOK = 1;", "KIND_PAPER = 1;", "enum-value-same-name"),
    ("a value has another number", "KIND_BOOK = 1;", "KIND_BOOK = 2;", "enum-value-no-delete"),
    ("an inner message has another name", "Inner", "Within", "message-no-delete"),
    ("a method is gone", "rpc Find(Wanted) returns (Item);", "", "rpc-no-delete"),
    ("another request", "rpc Find(Wanted)", "rpc Find(Item)", "rpc-same-request-type"),
    ("another answer", "rpc Find(Wanted) returns (Item)", "rpc Find(Wanted) returns (Wanted)",
     "rpc-same-response-type"),
    ("answers once", "returns (stream Item)", "returns (Item)", "rpc-same-server-streaming"),
    ("is asked once", "rpc Fill(stream Item)", "rpc Fill(Item)", "rpc-same-client-streaming"),
    ("may be asked twice", "rpc Find(Wanted) returns (Item);",
     "rpc Find(Wanted) returns (Item) { option idempotency_level = IDEMPOTENT; }", "rpc-same-idempotency-level"),
    ("a service has another name", "service Shop", "service Market", "service-no-delete"),
    ("an enum has another name", "Kind", "Sort", "enum-no-delete"),
    ("another package", "package shop.v1;", "package shop.v2;", "file-same-package"),
    ("another syntax", 'syntax = "proto3";', 'edition = "2023";', "file-same-syntax"),
    ("a field is new", "int32 count = 2;", "int32 count = 2; string colour = 20;", ""),
    ("a method is new", "rpc Find(Wanted) returns (Item);",
     "rpc Find(Wanted) returns (Item); rpc List(Wanted) returns (Item);", ""),
    ("a value is new", "KIND_BOOK = 1;", "KIND_BOOK = 1; KIND_TOY = 2;", ""),
    ("a value has a second name", "KIND_BOOK = 1;", "option allow_alias = true; KIND_BOOK = 1; KIND_PAPER = 1;", ""),
    ("a message is new", "message Wanted", "message More { } message Wanted", ""),
    ("more is reserved", "reserved 9;", "reserved 9, 11 to 20;", ""),
    ("is deprecated", "int32 count = 2;", "int32 count = 2 [deprecated = true];", ""),
    ("comments and order", "int32 count = 2;\n  repeated string tags = 3;",
     "// how many\n repeated string tags = 3;\n int32 count = 2;", ""),
]  # fmt: skip


@pytest.fixture(scope="session", name="compiled")
def _compiled(tmp_path_factory):
    made = {}

    def compiled(text):
        if text not in made:
            folder = tmp_path_factory.mktemp("proto")
            (folder / "shop.proto").write_text(text)
            assert protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/out", "shop.proto"]) == 0
            made[text] = (folder / "out").read_bytes()
        return made[text]

    return compiled


def changed(before, after):
    assert before in BASE
    text = BASE.replace(before, after)
    return text.replace("optional ", "").replace('"old"', "old") if "edition" in text else text


@pytest.mark.parametrize(("before", "after", "rule"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_breaks_callers(compiled, before, after, rule):
    rules = {one.rule for one in breaking(compare(compiled(BASE), compiled(changed(before, after)), Kind.PROTOBUF))}

    assert rule in rules if rule else rules == set()


def test_the_same_is_no_change(compiled):
    assert compare(compiled(BASE), compiled(BASE), Kind.PROTOBUF) == []


def test_what_is_no_descriptor_is_undecided(compiled):
    [finding] = compare(compiled(BASE), b"\xff\xff\xff", Kind.PROTOBUF)

    assert finding.undecided


@pytest.mark.parametrize("index", [2, 7, 2**31 - 1])
def test_a_field_of_a_oneof_that_is_not_there_upsets_nothing(compiled, index):
    described = FileDescriptorSet.FromString(compiled(BASE))
    [item] = [each for each in described.file[0].message_type if each.name == "Item"]
    item.field[0].oneof_index = index
    upset = described.SerializeToString()

    assert compare(upset, upset, Kind.PROTOBUF) == []
    for old, new in ((compiled(BASE), upset), (upset, compiled(BASE))):
        assert all(one.undecided or one.sentence for one in compare(old, new, Kind.PROTOBUF))


def test_files_of_others_change_by_their_own_rules(compiled):
    described = FileDescriptorSet.FromString(compiled(BASE))
    described.file.add(name="google/api/http.proto", package="google.api")

    assert compare(described.SerializeToString(), compiled(BASE), Kind.PROTOBUF) == []
