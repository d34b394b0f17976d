//! What an owner does without being asked: starting documents, maintenance, effects, timers, answers, expiry.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::wait;

use crate::commands::{at, printed, said};
use crate::{PATIENT, component, host_with, host_with_flags};

async fn diary(client: &Client, name: &str) -> Value {
    client.get(&format!("/core/diaries/{name}")).await.expect(200).json()
}

async fn create(client: &Client, name: &str) {
    client.post("/core/diaries", &json!({ "documentSelfLink": name })).await.expect(201);
}

fn count(diary: &Value, field: &str) -> u64 {
    diary[field].as_u64().unwrap_or_else(|| panic!("{field} in {diary}"))
}

async fn notes_of(client: &Client, name: &str, number: usize) -> Vec<String> {
    wait::until("the notes are there", || async {
        let notes: Vec<String> = texts(&diary(client, name).await["notes"]);
        (notes.len() >= number).then_some(notes)
    })
    .await
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_created_once_and_started_whenever_its_ownership_begins() {
    let mut host = host_with(&["duties"]).await;
    for n in 0..8 {
        create(host.client(), &format!("d{n}")).await;
    }
    let first = diary(host.client(), "d0").await;
    assert_eq!((count(&first, "creates"), count(&first, "starts")), (1, 1));
    for restart in 1..=2 {
        tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
        // The first update waits for the start: no handler runs before it.
        let patched = host.client().patch("/core/diaries/d0", &json!({})).await.expect(200).json();
        assert_eq!((count(&patched, "creates"), count(&patched, "starts")), (1, restart + 1));
        wait::until("documents that nobody asks for are started too", || async {
            for n in 1..8 {
                let diary = diary(host.client(), &format!("d{n}")).await;
                assert_eq!(count(&diary, "creates"), 1);
                assert!(count(&diary, "starts") <= restart + 1, "started twice: {diary}");
                if count(&diary, "starts") <= restart {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_nobody_touches_is_started_only_where_the_service_is_eager() {
    let mut host = host_with(&["duties", "upgrade-before"]).await;
    for n in 0..8 {
        create(host.client(), &format!("d{n}")).await;
        let ledger = json!({ "documentSelfLink": format!("l{n}") });
        host.client().post("/core/ledgers", &ledger).await.expect(201);
    }
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    wait::until("eager documents are started", || async {
        for n in 0..8 {
            if count(&diary(client, &format!("d{n}")).await, "starts") < 2 {
                return None;
            }
        }
        Some(())
    })
    .await;
    let ledger = |n: usize| async move { client.get(&format!("/core/ledgers/l{n}")).await.expect(200).json() };
    for n in 0..8 {
        assert_eq!(count(&ledger(n).await, "starts"), 1, "nobody has touched it");
    }
    for touch in 1..=2 {
        let touched = client.patch("/core/ledgers/l0", &json!({})).await.expect(200).json();
        assert_eq!(
            (count(&touched, "starts"), count(&touched, "count")),
            (2, touch),
            "started once, before its handler"
        );
    }
    assert_eq!(count(&ledger(1).await, "starts"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_runs_once_per_interval_and_never_beside_an_update() {
    let mut host = host_with(&["duties"]).await;
    let began = std::time::Instant::now();
    create(host.client(), "d").await;
    let client = host.client().clone();
    let mut patches = 0;
    let ticking = wait::until("maintenance has run some times", || {
        patches += 1;
        let client = client.clone();
        async move {
            let answer = client.patch("/core/diaries/d", &json!({ "note": "beside" })).await.expect(200).json();
            (count(&answer, "ticks") >= 5).then_some(answer)
        }
    })
    .await;
    let intervals = u64::try_from(began.elapsed().as_millis() / 100).expect("a small number");
    assert!(count(&ticking, "ticks") <= intervals + 1, "more than once per interval: {ticking}");
    assert_eq!(texts(&ticking["notes"]).len(), patches);
    let changes = count(&ticking, "ticks") + patches as u64;
    assert_eq!(count(&ticking, "documentVersion"), changes, "an update was lost or doubled: {ticking}");

    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let before = count(&diary(host.client(), "d").await, "ticks");
    wait::until("maintenance goes on after a restart", || async {
        (count(&diary(host.client(), "d").await, "ticks") > before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_a_factory_that_comes_back_are_started_and_maintained_again() {
    let mut host = host_with(&["duties"]).await;
    create(host.client(), "d").await;
    let factory = "/core/factories/core/diaries";
    let module = host.client().get(factory).await.expect(200).json()["moduleDigest"].clone();
    host.client().delete(factory).await.expect(200);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    client.get("/core/diaries/d").await.expect(404);
    client.post("/core/factories", &json!({ "moduleDigest": module })).await.expect(201);
    let first = client.patch("/core/diaries/d", &json!({})).await.expect(200).json();
    assert_eq!((count(&first, "creates"), count(&first, "starts")), (1, 2), "started before the update: {first}");
    let later = wait::until("maintenance runs", || async {
        let diary = diary(client, "d").await;
        (count(&diary, "ticks") > count(&first, "ticks") + 1).then_some(diary)
    })
    .await;
    assert_eq!(count(&later, "starts"), 2, "started once: {later}");
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_of_one_document_arrive_in_their_order() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    create(client, "from").await;
    create(client, "to").await;
    for round in 0..5 {
        let letters: Vec<Value> =
            (0..10).map(|n| json!({ "to": "/core/diaries/to", "note": format!("{}", round * 10 + n) })).collect();
        client.patch("/core/diaries/from", &json!({ "letters": letters })).await.expect(200);
    }
    let notes = notes_of(client, "to", 50).await;
    assert_eq!(notes, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_survive_a_kill_and_go_off_once() {
    let mut host = host_with(&["duties"]).await;
    create(host.client(), "from").await;
    create(host.client(), "to").await;
    let letter = |note: &str, delay: u64| json!({ "to": "/core/diaries/to", "note": note, "delayMillis": delay });
    let letters = json!({ "letters": [letter("late", 1_500), letter("at once", 0)] });
    host.client().patch("/core/diaries/from", &letters).await.expect(200);
    notes_of(host.client(), "to", 1).await;
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let notes = notes_of(host.client(), "to", 2).await;
    assert_eq!(notes, ["at once", "late"]);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    create(host.client(), "witness").await;
    let again = json!({ "letters": [letter("last", 0)] });
    host.client().patch("/core/diaries/from", &again).await.expect(200);
    assert_eq!(notes_of(host.client(), "to", 3).await, ["at once", "late", "last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_its_document_cancels_does_not_go_off() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    create(client, "from").await;
    create(client, "to").await;
    let letter = |note: &str, tag: &str, delay: u64| json!({ "to": "/core/diaries/to", "note": note, "tag": tag, "delayMillis": delay });
    let letters = [letter("cancelled", "alarm & bell", 400), letter("kept", "other", 800)];
    client.patch("/core/diaries/from", &json!({ "letters": letters })).await.expect(200);
    client.patch("/core/diaries/from", &json!({ "cancel": "alarm & bell", "note": "changed" })).await.expect(200);
    let waiting = client.get("/core/diaries/from/effects").await.expect(200).json();
    assert_eq!(waiting["pendingCount"], 1, "{waiting}");
    // A timer that is set anew in the same update is not the one that is given up.
    let anew = json!({ "cancel": "other", "letters": [letter("anew", "other", 600)] });
    client.patch("/core/diaries/from", &anew).await.expect(200);
    assert_eq!(notes_of(client, "to", 1).await, ["anew"]);
    let last = [letter("last", "", 0)];
    client.patch("/core/diaries/from", &json!({ "letters": last })).await.expect(200);
    assert_eq!(notes_of(client, "to", 2).await, ["anew", "last"], "nothing else comes");
    assert_eq!(texts(&diary(client, "from").await["replies"]), ["other 200"], "what is given up is not answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_update_sends_nothing() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    create(client, "from").await;
    create(client, "to").await;
    let letters: Vec<Value> = (0..65).map(|n| json!({ "to": "/core/diaries/to", "note": n.to_string() })).collect();
    let refused = client.patch("/core/diaries/from", &json!({ "letters": letters })).await;
    assert_eq!(refused.expect(500).json()["code"], "guest-effects");
    let letters = json!([{ "to": "/core/diaries/to", "note": "proper" }]);
    client.patch("/core/diaries/from", &json!({ "letters": letters })).await.expect(200);
    assert_eq!(notes_of(client, "to", 1).await, ["proper"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_tagged_effects_come_back_whatever_they_are() {
    let mut host = host_with(&["duties"]).await;
    let client = host.client().clone();
    create(&client, "from").await;
    create(&client, "to").await;
    let letter = |to: &str, tag: &str| json!({ "to": to, "note": "n", "tag": tag });
    let letters = [letter("/core/diaries/to", "good"), letter("/core/diaries/none", "bad"), letter("/nobody", "worse")];
    client.patch("/core/diaries/from", &json!({ "letters": letters })).await.expect(200);
    let replies = |client: Client| async move {
        let replies = texts(&diary(&client, "from").await["replies"]);
        (replies.len() >= 3).then_some(replies)
    };
    let came = wait::until("all answers have come", || replies(client.clone())).await;
    assert_eq!(came, ["good 200", "bad 404", "worse 404"]);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let after = texts(&diary(host.client(), "from").await["replies"]);
    assert_eq!(after, came, "no answer comes twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_which_a_document_has_no_room_is_settled_all_the_same() {
    let host = host_with_flags(&["duties"], &["--max-request-bytes", "2KiB"]).await;
    let client = host.client();
    create(client, "full").await;
    create(client, "to").await;
    client.patch("/core/diaries/full", &json!({ "note": "x".repeat(1_800) })).await.expect(200);
    let letter = |note: &str, tag: &str| json!({ "to": "/core/diaries/to", "note": note, "tag": tag });
    let letters = [letter("first", &"t".repeat(200)), letter("second", "short")];
    client.patch("/core/diaries/full", &json!({ "letters": letters })).await.expect(200);
    assert_eq!(notes_of(client, "to", 2).await, ["first", "second"], "nothing holds up the second one");
    let settled = || async {
        let partitions = client.get("/core/partitions").await.expect(200).json();
        (partitions["pendingEffects"] == 0).then_some(())
    };
    wait::until("nothing is pending", settled).await;
    assert_eq!(texts(&diary(client, "full").await["replies"]), ["short 200"]);
    assert!(host.log().contains("handler failed"), "the operator is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_to_itself_is_a_task() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    create(client, "self").await;
    let letters = json!([{ "to": "/core/diaries/self", "note": "second" }]);
    client.patch("/core/diaries/self", &json!({ "note": "first", "letters": letters })).await.expect(200);
    assert_eq!(notes_of(client, "self", 2).await, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_document_ends_once_and_leaves_nothing_behind() {
    let mut host = host_with(&["duties"]).await;
    create(host.client(), "heir").await;
    let mortal = json!({ "documentSelfLink": "mortal", "heir": "/core/diaries/heir" });
    host.client().post("/core/diaries", &mortal).await.expect(201);
    host.client().patch("/core/diaries/mortal", &json!({ "expiresInMillis": 1_000 })).await.expect(200);
    let shown = diary(host.client(), "mortal").await;
    assert!(count(&shown, "documentExpirationTimeMicros") > count(&shown, "documentUpdateTimeMicros"), "{shown}");
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    assert_eq!(notes_of(client, "heir", 1).await, ["mortal ended"]);
    for path in ["/core/diaries/mortal", "/core/diaries/mortal?documentVersion=0"] {
        let problem = client.get(path).await.expect(404).json();
        assert_eq!(problem["detail"], "/core/diaries/mortal has expired, and none of its versions is kept");
    }
    let problem = client.patch("/core/diaries/mortal", &json!({ "note": "late" })).await.expect(404).json();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("has expired")), "{problem}");
    let problem = client.get("/core/diaries/mortal/history").await.expect(404).json();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("has expired")), "{problem}");
    let reborn = client.post("/core/diaries", &mortal).await.expect(201).json();
    assert!(
        count(&reborn, "documentVersion") > count(&shown, "documentVersion"),
        "no version is given twice: {reborn}"
    );
    assert_eq!((count(&reborn, "creates"), count(&reborn, "starts")), (1, 1), "nothing is left of the one before");
    let history = client.get("/core/diaries/mortal/history").await.expect(200).json();
    let kept = history["versions"].as_array().into_iter().flatten();
    assert!(
        kept.clone().all(|version| count(version, "documentVersion") >= count(&reborn, "documentVersion")),
        "{history}"
    );
    client.delete("/core/diaries/mortal").await.expect(200);
    assert_eq!(notes_of(client, "heir", 2).await, ["mortal ended", "mortal ended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_prolonged_in_time_outlives_its_first_expiry() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    let names: Vec<String> = (0..8).map(|n| format!("d{n}")).collect();
    for name in names.iter().map(String::as_str).chain(["mortal"]) {
        create(client, name).await;
        client.patch(&format!("/core/diaries/{name}"), &json!({ "expiresInMillis": 3_000 })).await.expect(200);
    }
    let mut rounds = 0;
    wait::until("the one that nobody prolongs is gone", || {
        rounds += 1;
        let names = &names;
        async move {
            for name in names {
                let longer = json!({ "note": "on", "expiresInMillis": 3_000 });
                client.patch(&format!("/core/diaries/{name}"), &longer).await.expect(200);
            }
            (client.get("/core/diaries/mortal").await.status == 404).then_some(())
        }
    })
    .await;
    for name in &names {
        let kept = diary(client, name).await;
        assert_eq!(texts(&kept["notes"]).len(), rounds, "prolonged, yet begun anew or gone: {kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_turn_does_not_come_holds_up_no_expiry_but_its_own() {
    let host = host_with_flags(&["upgrade-before"], &PATIENT).await;
    let client = host.client();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    let soon = u64::try_from(now.as_micros() + 5_000_000).expect("a time of this age");
    for name in ["stuck".to_owned()].into_iter().chain((0..40).map(|n| format!("l{n}"))) {
        let brief = json!({ "documentSelfLink": name, "documentExpirationTimeMicros": soon });
        client.post("/core/ledgers", &brief).await.expect(201);
    }
    let slow = client.clone();
    // Without end: it is its deadline that ends it, on a quick machine and on a slow one.
    let slow = tokio::spawn(async move { slow.patch("/core/ledgers/stuck", &json!({ "work": u64::MAX })).await });
    wait::until("the slow call is under way", || async { host.log().contains("work begins").then_some(()) }).await;
    wait::until("all others are gone", || async {
        let factory = client.get("/core/factories/core/ledgers").await.expect(200).json();
        // None is left if the slow call has ended: then nothing more is to wait for, and the test says so below.
        (count(&factory, "documentCount") <= 1).then_some(())
    })
    .await;
    assert!(!slow.is_finished(), "the slow call must outlast the others for this test to say anything");
    slow.abort();
}

/// Longer than an effect is tried for a path at which nothing ever was.
const BEYOND_SHORT_PATIENCE: Duration = Duration::from_secs(11);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_an_undeployed_factory_waits_until_it_is_deployed_again() {
    let mut host = host_with(&["duties"]).await;
    host.client().deploy(&component("duties").await, Some("/core/others")).await;
    let module = host.client().get("/core/factories/core/others").await.expect(200).json()["moduleDigest"].clone();
    create(host.client(), "from").await;
    host.client().post("/core/others", &json!({ "documentSelfLink": "to" })).await.expect(201);
    host.client().delete("/core/factories/core/others").await.expect(200);
    let began = Instant::now();
    let letter =
        |to: &str, note: &str, delay: u64| json!({ "to": to, "note": note, "tag": note, "delayMillis": delay });
    let letters = [
        letter("/core/others/to", "prompt", 0),
        letter("/core/diaries/from", "behind", 0),
        letter("/core/others/to", "timer", 100),
        letter("/core/diaries/from", "passes", 200),
    ];
    host.client().patch("/core/diaries/from", &json!({ "letters": letters })).await.expect(200);
    assert_eq!(notes_of(host.client(), "from", 1).await, ["passes"]);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    wait::until("it would have been given up", || async { (began.elapsed() > BEYOND_SHORT_PATIENCE).then_some(()) })
        .await;
    let waiting = client.get("/core/diaries/from/effects").await.expect(200).json();
    let stages: Vec<_> = waiting["effects"].as_array().into_iter().flatten().map(|effect| &effect["stage"]).collect();
    assert_eq!(stages, ["HELD", "DUE", "HELD"], "{waiting}");
    let reason = &waiting["effects"][0]["reason"];
    assert_eq!(reason, "nothing is deployed at /core/others: it goes on when a module is");
    let metrics = client.get("/metrics").await.expect(200);
    assert_eq!(metrics.counted("steward_effects_retried_total"), 0, "nobody asks again and again");

    let again = json!({ "documentSelfLink": "/core/others", "moduleDigest": module });
    client.post("/core/factories", &again).await.expect(201);
    wait::until("all of it arrives", || async {
        let notes = texts(&client.get("/core/others/to").await.expect(200).json()["notes"]);
        (notes.len() == 2).then_some(())
    })
    .await;
    assert_eq!(notes_of(client, "from", 2).await, ["passes", "behind"]);
    let replies = wait::until("all answers have come", || async {
        let replies = texts(&diary(client, "from").await["replies"]);
        (replies.len() == 4).then_some(replies)
    })
    .await;
    assert!(replies.iter().all(|reply| reply.ends_with(" 200")), "{replies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_undeployed_lose_no_answer_and_an_operator_can_give_up_what_they_send() {
    let host = host_with(&["duties"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    client.deploy(&component("duties").await, Some("/core/others")).await;
    let module = client.get("/core/factories/core/others").await.expect(200).json()["moduleDigest"].clone();
    for name in ["asks", "forgets"] {
        client.post("/core/others", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    create(client, "to").await;
    let letter = |note: &str, tag: &str| json!({ "letters": [{ "to": "/core/diaries/to", "note": note, "tag": tag, "delayMillis": 500 }] });
    client.patch("/core/others/asks", &letter("asked", "question")).await.expect(200);
    client.patch("/core/others/forgets", &letter("dropped", "question")).await.expect(200);
    client.patch("/core/others/forgets", &letter("told", "")).await.expect(200);
    client.delete("/core/factories/core/others").await.expect(200);
    assert_eq!(notes_of(client, "to", 1).await, ["told"], "nobody asked for an answer to this one");

    let listed = at(&base, &["effects"]).await;
    let shown = printed(&listed);
    assert!(shown.contains("/core/others/asks") && shown.contains("HELD"), "{shown}{}", said(&listed));
    assert!(said(&listed).contains("HELD: nothing is deployed at /core/others"), "{}", said(&listed));
    let dropped = at(&base, &["effects", "/core/others/forgets", "--drop", "-y"]).await;
    assert!(printed(&dropped).contains("Gave up 1 of"), "{}{}", printed(&dropped), said(&dropped));

    let again = json!({ "documentSelfLink": "/core/others", "moduleDigest": module });
    client.post("/core/factories", &again).await.expect(201);
    assert_eq!(notes_of(client, "to", 2).await, ["told", "asked"]);
    let replies = |name: &'static str| async move {
        let document = client.get(&format!("/core/others/{name}")).await.expect(200).json();
        texts(&document["replies"])
    };
    wait::until("the answer is told", || async { (replies("asks").await == ["question 200"]).then_some(()) }).await;
    assert_eq!(
        (replies("forgets").await.len(), diary(client, "to").await["notes"].as_array().map(Vec::len)),
        (0, Some(2))
    );
}
