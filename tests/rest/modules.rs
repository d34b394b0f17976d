//! Guest modules whose bytes are gone or damaged, and modules that are made to do harm.

use std::path::PathBuf;

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::host::{Host, OWN_CODE};
use steward_tests::wait;

use crate::{component, host_with, host_with_flags};

fn module_file(host: &Host, digest: &str) -> PathBuf {
    host.data().join("modules").join(format!("{digest}.wasm"))
}

async fn digest_of(client: &Client, factory: &str) -> String {
    let factory = client.get(&format!("/core/factories{factory}")).await.expect(200).json();
    factory["moduleDigest"].as_str().expect("a digest").to_owned()
}

/// Restarts a host whose compiled code is gone too.
fn restart(host: &mut Host) {
    host.kill();
    std::fs::remove_dir_all(host.data().join("code")).expect("compiled code");
    host.restart().expect("the host starts again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factory_whose_module_is_gone_is_unavailable_until_it_is_repaired() {
    let mut host = host_with_flags(&["counter", "relay"], &OWN_CODE).await;
    let counter = host.client().post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201).json();
    let kind = &counter["documentKind"];
    host.client().post("/core/relays", &json!({ "documentSelfLink": "r" })).await.expect(201);
    let mut sent = 0;
    let digest = digest_of(host.client(), "/core/counters").await;
    let file = module_file(&host, &digest);
    let whole = std::fs::read(&file).expect("the module");
    let mut altered = whole.clone();
    altered[100..164].fill(0);
    for (damaged, reason) in
        [(None, "is not at"), (Some(&whole[..1000]), "is damaged"), (Some(&altered[..]), "is damaged")]
    {
        host.kill();
        match damaged {
            Some(bytes) => std::fs::write(&file, bytes).expect("damaged"),
            None => std::fs::remove_file(&file).expect("removed"),
        }
        restart(&mut host);
        let client = host.client();
        for path in ["/core/counters", "/core/counters/c", "/core/counters/c/available", "/core/counters/none"] {
            assert_unavailable(&client.get(path).await, reason);
        }
        assert_unavailable(&client.patch("/core/counters/c", &json!({})).await, reason);
        assert_unavailable(&client.post("/core/counters", &json!({})).await, reason);
        // Its documents are there: whoever asks for them by their kind finds them, and no list leaves the factory out.
        let term = json!({ "propertyName": "documentKind", "matchValue": kind });
        let task = json!({ "taskInfo": { "isDirect": true }, "querySpec": { "query": { "term": term } } });
        let found = client.post("/core/query-tasks", &task).await.expect(200).json();
        assert_eq!(found["results"]["documentLinks"], json!(["/core/counters/c"]), "{found}");
        // And `/` shows it, without links that lead nowhere.
        let root = client.get("/").await.expect(200).json();
        assert!(root["documentLinks"].to_string().contains("/core/counters"), "{root}");
        assert_eq!(root["links"]["templates"], json!({ "/core/relays": "/core/relays/template" }));
        let page = client.send(Method::GET, "/", &[("accept", "text/html")], "").await.expect("an answer").expect(200);
        let page = String::from_utf8_lossy(&page.body).into_owned();
        assert!(page.contains("<td>/core/counters<td>–<td>not served now") && page.contains(reason), "{page}");
        let listed = client.get("/core").await.expect(200).json()["documentLinks"].to_string();
        assert!(listed.contains("/core/counters"), "{listed}");
        let told = client.get("/health/ready").await.expect(503).json();
        let message = told["message"].as_str().unwrap_or_default();
        assert!(message.contains("/core/counters") && message.contains(reason), "{told}");
        // An effect to it is tried again.
        client.patch("/core/relays/r", &json!({ "to": "/core/counters/c", "by": 1000 })).await.expect(200);
        sent += 1000;
        std::fs::write(&file, &whole).expect("repaired");
        wait::until("the factory serves again and the effect has come", || async {
            let answer = client.get("/core/counters/c").await;
            (answer.status == 200 && answer.json()["count"] == sent).then_some(())
        })
        .await;
        client.get("/health/ready").await.expect(200);
    }
}

fn assert_unavailable(answer: &steward_tests::client::Answer, reason: &str) {
    let problem = answer.clone().expect(503).json();
    assert_eq!(problem["code"], "not-available", "{problem}");
    assert!(!answer.header("retry-after").is_empty(), "{problem}");
    assert!(problem["message"].as_str().is_some_and(|message| message.contains(reason)), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_module_is_mended_by_uploading_it_again() {
    let mut host = host_with_flags(&["counter"], &OWN_CODE).await;
    let digest = digest_of(host.client(), "/core/counters").await;
    std::fs::write(module_file(&host, &digest), b"rubbish").expect("damaged");
    restart(&mut host);
    let client = host.client();
    assert_unavailable(&client.get("/core/counters").await, "is damaged");
    client.upload(&component("counter").await).await.expect(201);
    wait::until("the factory serves again", || async {
        (client.get("/core/counters").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_made_to_harm_are_refused_with_the_limit() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let whole = component("counter").await;
    for (kind, depth) in [(0x42_u8, 700), (0x41, 900), (0x42, 1100), (0x41, 2000), (0x42, 500_000)] {
        let inside: Vec<u8> = [&[1_u8][..], &[kind, 1, 1].repeat(depth), &[kind, 0]].concat();
        let refused = client.upload(&[&whole[..], &[7], &leb(inside.len()), &inside].concat()).await;
        // What is below the limit may be in order: all that counts is that reading it does not end the host.
        let expected: &[u16] = if depth < 1000 { &[201, 422] } else { &[422] };
        assert!(expected.contains(&refused.status.as_u16()), "{depth} levels: {}", refused.status);
    }
    let empty = b"\x04\x08\0asm\x0d\0\x01\0".repeat(50_000);
    let refused = client.upload(&[&whole[..], &empty].concat()).await.expect(422).json();
    assert_eq!(refused["code"], "module-limit", "{refused}");
    client.get("/health/live").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_would_take_a_compiler_long_is_refused_with_the_setting() {
    let host = host_with_flags(&[], &["--module-function-bytes", "20KiB"]).await;
    let client = host.client();
    let whole = component("counter").await;
    let with_function = |nops: usize| {
        let code = [&[0][..], &vec![0x01; nops], &[0x0b]].concat();
        let bodies = [&[1][..], &leb(code.len()), &code].concat();
        let module =
            [&b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a"[..], &leb(bodies.len()), &bodies].concat();
        [&whole[..], &[1], &leb(module.len()), &module].concat()
    };
    let refused = client.upload(&with_function(20 << 10)).await.expect(422).json();
    assert_eq!(refused["code"], "module-limit", "{refused}");
    let told = refused["detail"].as_str().unwrap_or_default();
    assert!(told.contains("20482 bytes in one function, 20480 are allowed"), "{refused}");
    assert!(told.contains("`module_function_bytes`"), "{refused}");
    client.upload(&with_function((20 << 10) - 2)).await.expect(201);
}

/// Returns the counter with a further module in it, of one function of this type and body.
async fn with_module(signature: &[u8], body: &[u8]) -> Vec<u8> {
    let section = |number: u8, content: &[u8]| [&[number][..], &leb(content.len()), content].concat();
    let code = [&[0][..], body, &[0x0b]].concat();
    let sections = [
        section(1, &[&[1, 0x60][..], signature].concat()),
        section(3, &[1, 0]),
        section(10, &[&[1][..], &leb(code.len()), &code].concat()),
    ];
    let module = [b"\0asm\x01\0\0\0".as_slice(), &sections.concat()].concat();
    [component("counter").await, section(1, &module)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_compiler_takes_ends_at_a_bound_and_harms_nobody() {
    let flags = ["--module-memory", "256MiB", "--module-deadline", "5s"];
    let host = host_with_flags(&["greeting"], &flags).await;
    let client = host.client();
    // A thousand numbers go into each of these blocks and come out of it: 20 kB that ask for 8 GB.
    let wide = [leb(1000), vec![0x7f; 1000], leb(1000), vec![0x7f; 1000]].concat();
    let numbers = [0x41, 1].repeat(1000);
    let blocks = [0x02, 0, 0x0c, 0, 0x0b].repeat(4000);
    let greedy = with_module(&wide, &[numbers, blocks].concat()).await;
    let refused = client.upload(&greedy).await.expect(422).json();
    assert_eq!(refused["code"], "module-memory", "{refused}");
    assert!(refused["detail"].as_str().unwrap_or_default().contains("`module_memory`"), "{refused}");
    // Compilers take time by the square of the number of loops.
    let slow = with_module(&[0, 0], &[0x03, 0x40, 0x0b].repeat(14_000)).await;
    let refused = client.upload(&slow).await.expect(422).json();
    assert_eq!(refused["code"], "module-deadline", "{refused}");
    // Neither holds up who comes next.
    wait::until("another module is taken", || async {
        (client.upload(&component("counter").await).await.status == 201).then_some(())
    })
    .await;
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_takes_for_ever_is_refused_with_the_bound() {
    let host = host_with(&[]).await;
    let mut definitions = serde_json::Map::new();
    for level in 0..60 {
        let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
        definitions.insert(format!("d{level}"), json!({ "allOf": [next, next] }));
    }
    definitions.insert("d60".to_owned(), json!({ "type": "object" }));
    let doubling = json!({ "$defs": definitions, "$ref": "#/$defs/d0" });
    // Each level looks anew at all below it, to find what they have left.
    let unevaluated = (0..60).fold(
        json!({ "type": "object" }),
        |inside, _| json!({ "anyOf": [inside], "unevaluatedProperties": { "type": "number" } }),
    );
    // Reads what is left of the text from each of its letters on.
    let looking_around = json!({ "properties": { "name": { "pattern": "(?=a*b)a" } } });
    // The inner part is a document of its own, whose `x` is another one than that of the whole.
    let part = json!({ "$id": "urn:part", "$defs": { "x": { "type": "null" } }, "$ref": "#/$defs/x" });
    let in_disguise = json!({ "$defs": { "x": { "type": "object" }, "part": part }, "$ref": "#/$defs/part" });
    let harmful = [
        (doubling, "2000 steps"),
        (unevaluated, "2000 steps"),
        (looking_around, "\"(?=a*b)a\""),
        (in_disguise, "\"urn:part\""),
    ];
    for (schema, told) in harmful {
        let module = described(&json!({
            "name": "bomb", "version": "1.0.0", "factory": "/t/bombs", "stateSchema": schema
        }));
        let stored = host.client().upload(&module).await.expect(201).json();
        let mount = json!({ "moduleDigest": stored["digest"] });
        let refused = host.client().post("/core/factories", &mount).await.expect(422).json();
        assert_eq!(refused["code"], "module-schema", "{refused}");
        assert!(refused["message"].as_str().is_some_and(|message| message.contains(told)), "{refused}");
        let planned =
            host.client().send(Method::POST, "/core/modules?dryRun", &[("content-type", "application/wasm")], module);
        assert_ne!(planned.await.expect("an answer").expect(200).json()["plan"]["refusal"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_takes_too_long_to_check_is_refused_and_others_of_its_size_are_not() {
    let host = host_with(&[]).await;
    // Each letter is compared with each of the parts; a list of many values asks for the same subschema as often.
    let module = described(&json!({
        "name": "slow", "version": "1.0.0", "factory": "/t/slow",
        "stateSchema": { "properties": {
            "text": { "pattern": "a[ab]{1500}c" },
            "list": { "items": { "type": "integer" } },
        } }
    }));
    let stored = host.client().upload(&module).await.expect(201).json();
    host.client().post("/core/factories", &json!({ "moduleDigest": stored["digest"] })).await.expect(201);
    let began = std::time::Instant::now();
    let long = json!({ "documentSelfLink": "a", "text": "ab".repeat(400_000) });
    let refused = host.client().post("/t/slow", &long).await.expect(400).json();
    assert!(refused.to_string().contains("cannot be checked in a second"), "{refused}");
    // The bound is one of steps; a pass over this text without it takes a minute.
    println!("refused after {:?}", began.elapsed());
    let list = json!({ "documentSelfLink": "b", "text": "c", "list": vec![7; 200_000] });
    let refused = host.client().post("/t/slow", &list).await.expect(400).json();
    assert!(refused.to_string().contains("does not fit the schema"), "{refused}");
    let list = json!({ "documentSelfLink": "b", "list": vec![7; 200_000] });
    host.client().post("/t/slow", &list).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bound_of_schemas_is_a_setting_for_what_is_mounted() {
    let place = tempfile::tempdir().expect("a folder");
    let fields: serde_json::Map<String, Value> =
        (0..2500).map(|number| (format!("f{number}"), json!({ "type": "string" }))).collect();
    let module = described(&json!({
        "name": "wide", "version": "1.0.0", "factory": "/t/wide",
        "stateSchema": { "type": "object", "properties": fields }
    }));
    let start = |flags: &'static [&'static str]| {
        tokio::task::block_in_place(|| Host::start_in(place.path(), flags)).expect("the host starts")
    };
    let mut host = start(&[]);
    let stored = host.client().upload(&module).await.expect(201).json();
    let mount = json!({ "moduleDigest": stored["digest"] });
    let refused = host.client().post("/core/factories", &mount).await.expect(422).json();
    assert!(refused["message"].as_str().is_some_and(|told| told.contains("--schema-steps")), "{refused}");
    let body = json!({ "f1": 7 });
    host.set_flags(&["--schema-steps", "10000"]);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    host.client().post("/core/factories", &mount).await.expect(201);
    assert_eq!(host.client().post("/t/wide", &body).await.expect(400).json()["errors"][0]["pointer"], "/f1");
    // What is mounted stays, whatever the setting says later.
    host.set_flags(&[]);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    assert_eq!(host.client().post("/t/wide", &body).await.expect(400).json()["errors"][0]["pointer"], "/f1");
}

#[tokio::test(flavor = "multi_thread")]
async fn compiled_code_takes_no_more_room_than_it_may() {
    let flags = [&OWN_CODE[..], &["--code-cache-bytes", "1"]].concat();
    let host = host_with_flags(&["counter", "todo", "presence"], &flags).await;
    let code = || std::fs::read_dir(host.data().join("code")).expect("the folder").flatten().count();
    assert_eq!(code(), 1, "what was compiled last stays");
    for link in ["/core/counters", "/core/todos", "/presences"] {
        host.client().post(link, &json!({ "title": "t", "name": "n" })).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_a_descriptor_that_would_command_a_terminal_are_refused_by_their_name() {
    let host = host_with(&[]).await;
    for (field, value, told) in [
        ("version", json!("1.0.0\u{1b}[2J"), "version must not have the character"),
        ("version", json!("1.0.0\n2026-01-01 ERROR forged"), "version must not have the character"),
        ("documentKind", json!("kind\u{202e}dnik"), "documentKind must not have the character"),
        ("documentKind", json!("k".repeat(257)), "documentKind has 257 characters: it must have at most 256"),
        ("name", json!("n\nx"), "name must be at most 256 letters"),
    ] {
        let mut descriptor = json!({ "name": "forger", "version": "1.0.0", "factory": "/t/forgers" });
        descriptor[field] = value;
        let refused = host.client().upload(&described(&descriptor)).await.expect(422).json();
        assert_eq!(refused["code"], "module-descriptor", "{refused}");
        assert!(refused["message"].as_str().is_some_and(|said| said.contains(told)), "{refused}");
    }
    let fine = json!({ "name": "fine", "version": "1.0.0+ä", "factory": "/t/fine", "documentKind": "com:example:Ä b" });
    host.client().upload(&described(&fine)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_many_send_at_once_is_taken_once() {
    let host = host_with(&[]).await;
    let module = component("counter").await;
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (client, module) = (host.client().clone(), module.clone());
        // Where the workshop has its queue full, a client is told to come back.
        uploads.spawn(async move {
            wait::until("it is taken", || async {
                let answer = client.upload(&module).await;
                (answer.status != 503).then_some(answer.status.as_u16())
            })
            .await
        });
    }
    let statuses = uploads.join_all().await;
    assert!(statuses.iter().all(|status| [200, 201].contains(status)), "{statuses:?}");
    let listed = host.client().get("/core/modules").await.expect(200).json();
    assert_eq!(listed["documentCount"], 1, "{listed}");
    let kept = std::fs::read_dir(host.data().join("modules")).expect("the folder").flatten();
    let names = kept.map(|file| file.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| name != "clock").collect();
    assert!(names.len() == 1 && names[0].ends_with(".wasm"), "nothing half is left: {names:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_user_of_the_node_reads_what_it_keeps() {
    use std::os::unix::fs::PermissionsExt;
    let host = host_with_flags(&["counter"], &OWN_CODE).await;
    host.client().post("/core/counters", &json!({})).await.expect(201);
    let mut folders = vec![host.data()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let metadata = entry.metadata().expect("it is there");
            let rights = metadata.permissions().mode() & 0o077;
            assert_eq!(rights, 0, "{}", entry.path().display());
            seen += 1;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    assert!(seen > 10, "{seen} files and folders");
}

/// A component that does nothing but describe itself.
fn described(descriptor: &Value) -> Vec<u8> {
    let text = descriptor.to_string();
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let component = format!(
        r#"(component
             (core module $m
               (memory (export "memory") 2)
               (data (i32.const 0) "\10\00\00\00{}")
               (data (i32.const 16) "{escaped}")
               (func (export "describe") (result i32) (i32.const 0)))
             (core instance $m (instantiate $m))
             (func $describe (result string)
               (canon lift (core func $m "describe") (memory (core memory $m "memory"))))
             (instance $service (export "describe" (func $describe)))
             (export "steward:service/service@0.1.0" (instance $service)))"#,
        u32::try_from(text.len()).expect("a short text").to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat(),
    );
    wat::parse_str(component).expect("a valid component")
}
