//! Tests of what queries may name.

use serde_json::json;
use steward_model::Link;

use super::*;
use crate::odata::Listing;

fn schema() -> Json {
    json!({
        "type": "object",
        "properties": {
            "room": { "type": "string" },
            "count": { "type": "integer" },
            "open": { "type": "boolean" },
            "note": { "type": ["string", "null"] },
            "kind": { "enum": ["a", "b"] },
            "either": { "anyOf": [{ "type": "number" }, { "type": "string" }] },
            "info": { "$ref": "#/$defs/info" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "rows": { "type": "array", "items": { "$ref": "#/$defs/info" } },
            "map": { "type": "object", "additionalProperties": { "type": "string" } },
            "a.b": { "type": "number" },
            "free": { "type": "object" },
            "any": true,
        },
        "$defs": { "info": { "type": "object", "properties": {
            "stage": { "type": "string" }, "next": { "$ref": "#/$defs/info" }
        } } },
    })
}

fn asked(query: &str, strays: bool) -> Result<(), String> {
    let schema = schema();
    let listing = Listing::parse(Link::parse("/core/rooms").expect("a link"), query).expect("a query");
    check(listing.request(), &[Shape::of(&schema, strays)]).map_err(|error| error.to_string())
}

#[test]
fn fields_that_a_state_can_have_are_found_however_they_are_written() {
    for query in [
        "$filter=room eq '12' and count gt 3 and open eq true and note eq null and kind eq 'a'",
        "$filter=either eq 1 or either eq 'x'",
        "$filter=info.stage eq 'x' and info.next.next.stage eq 'y'",
        "$filter=tags eq 'x' or tags.item eq 'y' or rows.stage eq 'z' or rows.item.stage eq 'z'",
        "$filter=map.color eq 'red' and a.b eq 2 and free.anything eq 1 and any eq 1 and any.deep eq 'x'",
        "$filter=info ne null and documentVersion ge 1 and documentKind eq 'room'",
        "$orderby=count desc,info.stage&$select=room,documentVersion",
    ] {
        assert_eq!(asked(query, false), Ok(()), "{query}");
    }
}

#[test]
fn fields_that_no_state_can_have_are_refused_with_the_nearest() {
    for (query, words) in [
        ("$filter=rooom eq '12'", "there is no field rooom: did you mean room?"),
        ("$filter=count eq 1 or not (Count eq 2)", "there is no field Count: did you mean count?"),
        ("$orderby=nope", "there is no field nope"),
        ("$select=contu", "did you mean count?"),
        ("$filter=info.stag eq 'x'", "did you mean info.stage?"),
        ("$filter=documentVersoin eq 1", "did you mean documentVersion?"),
        ("$filter=room.x eq 1", "there is no field room.x"),
        ("$filter=tags.item.x eq 1", "there is no field tags.item.x"),
    ] {
        let refused = asked(query, false).expect_err(query);
        assert!(refused.contains(words), "{query}: {refused}");
    }
}

#[test]
fn values_of_another_type_are_refused() {
    for (query, words) in [
        ("$filter=count eq '12'", "field count is a number and cannot be compared with a text"),
        ("$filter=room eq 12", "field room is a text and cannot be compared with a number"),
        ("$filter=startswith(count, '1')", "field count is a number"),
        ("$filter=open eq 'true'", "field open is true or false"),
        ("$filter=tags gt 3", "field tags is a text or a list"),
        ("$filter=documentVersion eq '1'", "field documentVersion is a number"),
        (
            "$filter=info eq 'x'",
            "field info is an object, which is compared with nothing: name a field inside it, such as info.next or info.stage",
        ),
        ("$filter=rows gt 3", "field rows is a list of objects, which is compared with nothing"),
        ("$filter=rows eq 'x'", "such as rows.next or rows.stage"),
    ] {
        let refused = asked(query, false).expect_err(query);
        assert!(refused.contains(words), "{query}: {refused}");
    }
}

#[test]
fn where_a_schema_does_not_say_everything_may_be_there() {
    assert_eq!(asked("$filter=rooom eq '12'&$orderby=x", true), Ok(()));
    let anything = json!({ "type": "object" });
    assert_eq!(Shape::of(&anything, false).has("x.y"), Ok(()));
    let closed = json!({ "type": "object", "properties": { "a": true }, "additionalProperties": false });
    assert!(Shape::of(&closed, true).has("b").is_err());
    let circle = json!({ "$ref": "#" });
    assert_eq!(Shape::of(&circle, false).has("b"), Ok(()));
}
