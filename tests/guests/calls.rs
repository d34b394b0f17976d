//! Calls that do what they should: values in and out, defaults, refusals with the field, and many of them.

use serde_json::{Value, json};

use crate::languages::Integers;
use crate::{Examination, PATIENT};

/// An integer that a double-precision number cannot hold.
const LARGE: u64 = (1 << 53) + 1;

/// Calls before memory is looked at for the first time, and between that and the second.
const CALLS: [usize; 2] = [300, 1500];

/// What memory may grow by meanwhile: less than some kilobytes for each call.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn counters_count_by_their_step_or_by_what_they_are_told() {
    let examination = Examination::begin(&PATIENT).await;
    let client = examination.host.client();
    for (language, factory) in examination.mount("counters", |language| language.counter).await {
        let name = language.name;
        client.post(&factory, &json!({ "documentSelfLink": "a", "step": 5 })).await.expect(201);
        let link = format!("{factory}/a");
        assert_eq!(client.patch(&link, &json!({})).await.expect(200).json()["count"], 5, "{name}");
        let patched = client.patch(&link, &json!({ "by": 37 })).await.expect(200).json();
        assert_eq!((&patched["count"], &patched["documentVersion"]), (&json!(42), &json!(2)), "{name}");

        // Fields have one name; what has another is passed over.
        let created = client.post(&factory, &json!({ "Count": 7, "COUNT": "x" })).await.expect(201).json();
        assert_eq!((&created["count"], created.get("Count")), (&json!(0), None), "{name}: {created}");
        let refused = client.post(&factory, &json!({ "step": 0 })).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], "/step", "{name}: {refused}");
        for by in [json!(0), json!("much"), json!(1.5), json!([])] {
            let refused = client.patch(&link, &json!({ "by": by })).await.expect(400).json();
            assert_eq!(refused["errors"][0]["pointer"], "/by", "{name}: {refused}");
        }
        assert_eq!(client.get(&link).await.expect(200).json()["documentVersion"], 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_integers_are_kept_or_refused_and_never_rounded() {
    let examination = Examination::begin(&PATIENT).await;
    let client = examination.host.client();
    for (language, factory) in examination.mount("counters", |language| language.counter).await {
        let link = format!("{factory}/a");
        let body = json!({ "documentSelfLink": "a", "count": LARGE });
        match language.integers {
            Integers::Exact => {
                client.post(&factory, &body).await.expect(201);
                let patched = client.patch(&link, &json!({ "by": 2 })).await.expect(200).json();
                assert_eq!(patched["count"], json!(LARGE + 2), "{}", language.name);
            }
            Integers::Refused => {
                let refused = client.post(&factory, &body).await.expect(400).json();
                assert_eq!(refused["errors"][0]["pointer"], "/count", "{}: {refused}", language.name);
                client.post(&factory, &json!({ "documentSelfLink": "a", "count": LARGE - 2 })).await.expect(201);
                // Nobody has sent that sum.
                let spoilt = client.patch(&link, &json!({ "by": 2 })).await.expect(500).json();
                assert_eq!(spoilt["code"], "guest-outcome", "{}: {spoilt}", language.name);
                let detail = spoilt["detail"].as_str().unwrap_or_default();
                assert!(detail.contains(": count must be an integer"), "{}: {detail}", language.name);
                assert_eq!(client.get(&link).await.expect(200).json()["count"], json!(LARGE - 2));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_changed_by_kind_and_texts_of_all_scripts_of_the_world_come_back() {
    let examination = Examination::begin(&PATIENT).await;
    let client = examination.host.client();
    let title = "häuslich 家 \u{1f9f9} \u{0} \" \\ \u{7f}";
    for (language, factory) in examination.mount("todos", |language| language.todo).await {
        let name = language.name;
        client.post(&factory, &json!({ "documentSelfLink": "a", "title": title })).await.expect(201);
        let link = format!("{factory}/a");
        let patch = async |body: Value| client.patch(&link, &body).await.expect(200).json();
        patch(json!({ "kind": "add", "text": "fegen \u{1f9f9}" })).await;
        patch(json!({ "kind": "add", "text": "wischen" })).await;
        patch(json!({ "kind": "complete", "id": 1 })).await;
        let removed = patch(json!({ "kind": "remove", "id": 2 })).await;
        assert_eq!(removed["title"], title, "{name}");
        assert_eq!(removed["items"], json!([{ "id": 1, "text": "fegen \u{1f9f9}", "done": true }]), "{name}");
        let again = patch(json!({ "kind": "remove", "id": 2 })).await;
        assert_eq!(again["documentVersion"], removed["documentVersion"], "{name}: removing twice makes no version");

        for (body, pointer) in [
            (json!({ "kind": "complete", "id": 7 }), "/id"),
            (json!({ "kind": "add" }), "/text"),
            (json!({ "kind": "add", "text": "" }), "/text"),
            (json!({ "kind": "rename", "title": "" }), "/title"),
            (json!({ "kind": "burn" }), "/kind"),
            (json!({ "kind": ["add"], "text": "fegen" }), "/kind"),
            (json!({ "kind": 7 }), "/kind"),
            (json!({ "Kind": "add", "text": "fegen" }), "/kind"),
            (json!({}), "/kind"),
        ] {
            let refused = client.patch(&link, &body).await.expect(400).json();
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{name}, {body}: {refused}");
            let errors = refused["errors"].as_array().map(Vec::len);
            assert_eq!(errors, Some(1), "{name}, {body}: one fault is told once: {refused}");
        }
        let wrong = json!({ "title": "t", "items": [{ "id": "one", "text": "sweep" }] });
        let refused = client.post(&factory, &wrong).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], "/items/0/id", "{name}: {refused}");
        let posted =
            client.post(&factory, &json!({ "documentSelfLink": "a", "title": "two" })).await.expect(200).json();
        assert_eq!(posted["title"], "two", "{name}: posting again replaces");
        let item = |id: u64| json!({ "id": id, "text": "sweep" });
        let unruly = json!({ "title": "three", "items": [item(2), item(1)] });
        let again = json!({ "documentSelfLink": "a", "title": "three", "items": [item(2), item(1)] });
        for refused in [client.put(&link, &unruly).await, client.post(&factory, &again).await] {
            let problem = refused.expect(400).json();
            assert_eq!(problem["errors"][0]["pointer"], "/items/1/id", "{name}: the rules of creation hold: {problem}");
        }
        let put = client.put(&link, &json!({ "title": "four", "items": [item(6)] })).await.expect(200).json();
        assert_eq!((&put["nextId"], &put["items"][0]["done"]), (&json!(7), &json!(false)), "{name}: {put}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn many_calls_leave_no_memory_behind() {
    let examination = Examination::begin(&PATIENT).await;
    let client = examination.host.client();
    let pid = examination.host.pid();
    for (language, factory) in examination.mount("counters", |language| language.counter).await {
        client.post(&factory, &json!({ "documentSelfLink": "a" })).await.expect(201);
        let link = format!("{factory}/a");
        let mut before = 0;
        for calls in CALLS {
            before = memory_bytes(pid);
            for _ in 0..calls {
                client.patch(&link, &json!({ "by": 1 })).await.expect(200);
            }
        }
        let grown = memory_bytes(pid).saturating_sub(before);
        assert!(grown < GROWTH_BYTES_MAX, "{}: {grown} bytes after {} calls", language.name, CALLS[1]);
        assert_eq!(client.get(&link).await.expect(200).json()["count"], CALLS[0] + CALLS[1], "{}", language.name);
    }
}

/// Returns the memory of a process that no file stands behind.
fn memory_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the system tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
