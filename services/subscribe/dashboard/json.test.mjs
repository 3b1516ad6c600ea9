import assert from "node:assert/strict";
import { test } from "node:test";

import { elements, member, pretty } from "./static/json.js";

const show = (text) => pretty(text).map(([, t]) => t).join("");

test("pretty indents as JSON.stringify does", () => {
  for (const value of [1, "a", null, [], {}, [[]], [{}], { a: [] }, { a: { b: [1, "x,{}:[]\\\"", true] }, "c d": null }, "\u2028 \\"]) {
    assert.equal(show(JSON.stringify(value)), JSON.stringify(value, null, 2));
    assert.equal(show(JSON.stringify(value, null, 4)), JSON.stringify(value, null, 2));
  }
});

test("pretty keeps what parsing would lose", () => {
  assert.equal(show('{"2":12345678901234567890,"1":1.0,"1":2}'), '{\n  "2": 12345678901234567890,\n  "1": 1.0,\n  "1": 2\n}');
});

test("pretty tells the kinds apart", () => {
  const kinds = pretty('{"k":["s",-1.5e3,true,null]}').filter(([k]) => k);
  assert.deepEqual(kinds, [["key", '"k"'], ["string", '"s"'], ["number", "-1.5e3"], ["word", "true"], ["word", "null"]]);
});

test("member finds the text of a member of the outermost object alone", () => {
  const line = '{"type":"message","headers":{"data":"no"},"topic":"data","data":{"data":[1,{"x":"},"}],"n":1e400},"tag":"t"}';
  assert.equal(member(line, "data"), '{"data":[1,{"x":"},"}],"n":1e400}');
  assert.equal(member(line, "topic"), '"data"');
  assert.equal(member(line, "tag"), '"t"');
  assert.equal(member(line, "nothing"), undefined);
  assert.equal(member('{"data":null}', "data"), "null");
  assert.equal(member('{"data":[]}', "data"), "[]");
});

test("member stops where it was told to", () => {
  assert.equal(member('{"data":[1,2,3,4,5,6]}', "data", 5), "[1,2,");
  assert.equal(member(`{"data":"${"x".repeat(1000)}"}`, "data", 4), '"xxx');
  assert.equal(member('{"data":"ab"}', "data", 400), '"ab"');
});

test("elements are the texts of an array's elements", () => {
  assert.deepEqual(elements("[]"), []);
  assert.deepEqual(elements(" [ ] "), []);
  assert.deepEqual(elements('[1, [2,3],{"a":[4,"],"]} ,"x"]'), ["1", "[2,3]", '{"a":[4,"],"]}', '"x"']);
  assert.deepEqual(elements('[[1],[[],{}],12345678901234567890]'), ["[1]", "[[],{}]", "12345678901234567890"]);
});
