//! What happens to documents without a request: effects, timers, answers, restarts, and another version of the service.

use serde_json::{Value, json};
use steward_tests::wait;

use crate::{Examination, PATIENT, component, deploy};

/// The first version of the list, whose items were bare texts: in a language that needs no tools.
const FIRST: &str = r#"import { service, t } from "steward";

export default service("/core/todos").state({ title: t.string(), items: t.list(t.string()).default([]) });
"#;

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_timers_and_answers_outlive_a_restart() {
    let mut examination = Examination::begin(&PATIENT).await;
    let mounted = examination.mount("diaries", |language| language.diary).await;
    let client = examination.host.client();
    for (language, factory) in &mounted {
        for name in ["a", "b"] {
            client.post(factory, &json!({ "documentSelfLink": name })).await.expect(201);
        }
        let refused = client.put(&format!("{factory}/a"), &json!({ "starts": 7 })).await.expect(405);
        assert!(!refused.header("allow").contains("PUT"), "{}: a diary is not replaced", language.name);
        let letter = |note: &str, millis: u64| json!({ "to": format!("{factory}/b"), "note": note, "delayMillis": millis, "tag": note });
        let nobody = json!({ "to": format!("{factory}/nobody"), "note": "lost", "tag": "lost" });
        let body = json!({ "note": "wrote", "letters": [letter("late", 1500), letter("soon", 0), nobody] });
        client.patch(&format!("{factory}/a"), &body).await.expect(200);
        // A tag that means something else in a URL.
        let never = json!({ "letters": [{ "to": format!("{factory}/b"), "note": "never", "delayMillis": 1000, "tag": "a+b &c" }] });
        client.patch(&format!("{factory}/a"), &never).await.expect(200);
        client.patch(&format!("{factory}/a"), &json!({ "cancel": "a+b &c" })).await.expect(200);
    }
    tokio::task::block_in_place(|| examination.host.restart()).expect("the host starts again");
    let client = examination.host.client();
    for (language, factory) in &mounted {
        let name = language.name;
        let mut notes = wait::until("both letters have arrived", || async {
            let notes = texts(&client.get(&format!("{factory}/b")).await.expect(200).json()["notes"]);
            (notes.len() == 2).then_some(notes)
        })
        .await;
        // A timer waits for no other effect, so after a restart that takes longer than the timer either may be the first.
        notes.sort();
        assert_eq!(notes, ["late", "soon"], "{name}");
        let diary = wait::until("all answers are there", || async {
            let diary = client.get(&format!("{factory}/a")).await.expect(200).json();
            (texts(&diary["replies"]).len() == 3).then_some(diary)
        })
        .await;
        let mut replies = texts(&diary["replies"]);
        replies.sort();
        assert_eq!(replies, ["late 200", "lost 404", "soon 200"], "{name}");
        assert_eq!((&diary["creates"], &diary["starts"]), (&json!(1), &json!(2)), "{name}: {diary}");
        wait::until("maintenance runs", || async {
            let ticks = client.get(&format!("{factory}/a")).await.expect(200).json()["ticks"].as_u64();
            ticks.filter(|ticks| *ticks > 0)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_of_the_first_version_are_brought_up_to_date_and_outlive_a_restart() {
    let mut examination = Examination::begin(&PATIENT).await;
    let file = examination.host.folder().join("first.js");
    std::fs::write(&file, FIRST).expect("a file");
    let mut mounted = Vec::new();
    for language in &crate::LANGUAGES {
        let Some(todo) = component(language.todo).await else { continue };
        let factory = format!("/{}/todos", language.name);
        let deployed = deploy(&examination.host, &file, &factory);
        assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));
        let body = json!({ "documentSelfLink": "a", "title": "house", "items": ["sweep", "mop"] });
        examination.host.client().post(&factory, &body).await.expect(201);
        examination.deploy(&todo, &factory);
        mounted.push((language.name, factory));
    }
    tokio::task::block_in_place(|| examination.host.restart()).expect("the host starts again");
    let client = examination.host.client();
    for (name, factory) in mounted {
        let items =
            |done: bool| json!([{ "id": 1, "text": "sweep", "done": false }, { "id": 2, "text": "mop", "done": done }]);
        assert_eq!(client.get(&format!("{factory}/a")).await.expect(200).json()["items"], items(false), "{name}");
        let patched =
            client.patch(&format!("{factory}/a"), &json!({ "kind": "complete", "id": 2 })).await.expect(200).json();
        assert_eq!((&patched["items"], &patched["documentVersion"]), (&items(true), &json!(1)), "{name}");
    }
}
