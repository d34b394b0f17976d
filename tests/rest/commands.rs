//! Commands of the command line against a real host: what people type, and with which code it ends.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use steward_tests::build;
use steward_tests::host::{Circumstances, Host};

use crate::{author, component, host_with};

/// Runs `steward` in a folder of its own, without settings of this machine.
fn steward(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(build::steward().expect("steward builds"));
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).env_remove("STEWARD_URL");
    command.envs(build::code_cache());
    command.output().expect("steward runs")
}

pub(crate) fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) async fn at(base: &str, arguments: &[&str]) -> Output {
    let words: Vec<String> = arguments.iter().chain(&["-H", base]).map(|word| (*word).to_owned()).collect();
    let run = move || steward(&words.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_nobody_reads_is_warned_of_with_what_was_meant() {
    let circumstances = Circumstances {
        environment: vec![("STEWARD_PROT".to_owned(), "secret".to_owned())],
        ..Circumstances::default()
    };
    let started = Host::start_under(circumstances, &std::env::temp_dir(), &["--ephemeral"]);
    let log = tokio::task::block_in_place(|| started).expect("it starts all the same").log();
    let told = log.lines().find(|line| line.contains("STEWARD_PROT")).expect("it is in the log");
    assert!(told.contains("WARN") && told.contains("STEWARD_PORT") && !told.contains("secret"), "{told}");
    let binary = build::steward().expect("steward builds");
    let checked = Command::new(binary).args(["start", "--check-config"]).env("STEWARD_PROT", "1").output();
    let said = said(&checked.expect("steward runs"));
    assert!(said.contains("warning: the variable STEWARD_PROT says nothing to steward: did you mean STEWARD_PORT?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_stopped_by_a_command_that_asks_first_and_waits() {
    let mut host = host_with(&[]).await;
    let base = host.client().base().to_owned();
    let port = base.rsplit(':').next().expect("a port").to_owned();
    let asked = at(&base, &["stop"]).await;
    assert_eq!(asked.status.code(), Some(2), "{}", said(&asked));
    assert!(said(&asked).contains("--yes") && host.runs());
    let stopped = at(&port, &["stop", "--yes"]).await;
    assert!(stopped.status.success(), "a number alone is a port of this machine: {}", said(&stopped));
    assert!(host.ended().expect("it has ended"), "{}", host.log());
    assert_eq!(at(&base, &["stop", "--yes"]).await.status.code(), Some(3), "nothing is there to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factory_that_is_undeployed_keeps_its_documents() {
    let host = host_with(&["counter"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    client.post("/core/counters", &json!({ "documentSelfLink": "c", "step": 9 })).await.expect(201);
    let asked = at(&base, &["undeploy", "counter"]).await;
    assert_eq!(asked.status.code(), Some(2));
    assert!(said(&asked).contains("documents that stay: 1"), "{}", said(&asked));
    let deleted = at(&base, &["delete", "/core/counters"]).await;
    assert!(said(&deleted).contains("hint: take it away: steward undeploy /core/counters"), "{}", said(&deleted));
    client.get("/core/counters/c").await.expect(200);
    let module = client.get("/core/factories/core/counters").await.expect(200).json()["moduleDigest"].clone();
    let done = at(&base, &["undeploy", "counter", "-y", "-m", "not used"]).await;
    assert!(done.status.success(), "{}", said(&done));
    client.get("/core/counters/c").await.expect(404);
    assert_eq!(at(&base, &["undeploy", "counter", "-y"]).await.status.code(), Some(5));
    client.post("/core/factories", &json!({ "moduleDigest": module })).await.expect(201);
    assert_eq!(client.get("/core/counters/c").await.expect(200).json()["step"], 9);
    for (revision, exit, told) in [
        (&[][..], 5, "/core/counters never had another module"),
        (&["2"], 5, "had no module at revision 2: it was undeployed then"),
        (&["1"], 2, "the module of revision 1 of /core/counters answers already"),
    ] {
        let back = at(&base, &[&["rollback", "/core/counters", "-y"], revision].concat()).await;
        assert_eq!(back.status.code(), Some(exit), "{}", said(&back));
        assert!(said(&back).contains(told), "{}", said(&back));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_deploy_says_to_try_works_for_the_service() {
    let host = host_with(&[]).await;
    let base = host.client().base().to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["counter", "todo", "greeting", "examples", "relay", "misbehave"] {
        let file = folder.path().join(name).with_extension("wasm");
        std::fs::write(&file, component(name).await).expect("a file");
        let deployed = at(&base, &["deploy", file.to_str().expect("UTF-8"), "-y"]).await;
        assert!(deployed.status.success(), "{name}: {}", said(&deployed));
        let told = said(&deployed);
        let command = told.lines().find_map(|line| line.strip_prefix("try:  steward ")).expect("something to try");
        let steward = build::steward().expect("steward builds");
        let typed = format!("{} -H {base} {command}", steward.display());
        let tried = Command::new("sh").args(["-c", &typed]).output().expect("a shell");
        assert!(tried.status.success(), "{name}: {command}: {}", said(&tried));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factory_is_shown_by_its_path_and_taken_away_only_if_that_is_meant() {
    let host = host_with(&["counter"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    let shown = at(&base, &["services", "/core/counters"]).await;
    assert!(printed(&shown).starts_with("factory  /core/counters\n"), "{}{}", printed(&shown), said(&shown));
    let factory = "/core/factories/core/counters";
    let asked = at(&base, &["delete", factory]).await;
    assert_eq!(asked.status.code(), Some(2), "{}", said(&asked));
    client.get("/core/counters").await.expect(200);
    let done = at(&base, &["delete", factory, "--yes"]).await;
    assert!(done.status.success(), "{}", said(&done));
    client.get("/core/counters").await.expect(404);
}

#[test]
fn a_project_is_inspected_where_it_lies() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("orders");
    let place = place.to_str().expect("UTF-8");
    assert!(steward(&["new", place, "--lang", "javascript"]).status.success());
    let shown = steward(&["inspect", place]);
    assert!(printed(&shown).contains("factory  /core/orders"), "{}{}", printed(&shown), said(&shown));
    let none = steward(&["inspect", folder.path().to_str().expect("UTF-8")]);
    assert_eq!(none.status.code(), Some(5), "{}", said(&none));
    assert!(said(&none).contains("steward new"), "{}", said(&none));
}

#[test]
fn a_process_with_too_few_addresses_for_its_guests_says_which_flag_helps() {
    let steward = build::steward().expect("steward builds");
    let start = format!("ulimit -v 100000000; exec {} start --ephemeral --port 0", steward.display());
    let refused = Command::new("sh").args(["-c", &start]).output().expect("a shell");
    assert!(!refused.status.success());
    assert!(said(&refused).contains("lower --guest-instances"), "{}", said(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_that_wait_can_be_looked_at() {
    let host = host_with(&["duties"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    assert_eq!(client.get("/core/diaries/d/effects").await.expect(200).json()["pendingCount"], 0);
    let letters = json!([{ "to": "/core/diaries/d", "note": "later", "tag": "soon", "delayMillis": 600_000 }]);
    client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    for path in ["/core/diaries/d/effects", "/core/diaries/effects?limit=1"] {
        let pending = client.get(path).await.expect(200).json();
        assert_eq!(pending["pendingCount"], 1, "{pending}");
        let effect = &pending["effects"][0];
        assert_eq!((&effect["stage"], &effect["replyTag"]), (&json!("WAITING"), &json!("soon")), "{effect}");
        assert!(effect["dueInMillis"].as_i64().is_some_and(|millis| (500_000..=600_000).contains(&millis)), "{effect}");
    }
    client.get("/core/diaries/none/effects").await.expect(200);
    client.get("/core/diaries/d/effects?limit=0").await.expect(400);
    let shown = at(&base, &["effects"]).await;
    assert!(printed(&shown).contains("/core/diaries/d") && printed(&shown).contains("WAITING"), "{}", printed(&shown));
    let shown = at(&base, &["effects", "/core/diaries/d", "-o", "json"]).await;
    let document: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(document["pendingCount"], 1, "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_for_another_program_are_all_there_are() {
    let host = host_with(&["counter"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    for number in 0..101 {
        client.post("/core/counters", &json!({ "documentSelfLink": format!("c-{number:03}") })).await.expect(201);
    }
    let all = printed(&at(&base, &["query", "/core/counters", "-q"]).await);
    assert_eq!(all.lines().count(), 101, "{all}");
    assert_eq!((all.lines().next(), all.lines().last()), (Some("/core/counters/c-000"), Some("/core/counters/c-100")));
    let some = printed(&at(&base, &["query", "/core/counters", "-q", "--top", "7"]).await);
    assert_eq!(some.lines().count(), 7);
    let shown = at(&base, &["query", "/core/counters"]).await;
    assert!(
        !printed(&shown).contains("c-100") && said(&shown).contains("the first 100, there are more"),
        "{}",
        said(&shown)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_are_listed_by_name_and_the_newest_version_first() {
    let host = host_with(&["todo", "presence", "upgrade-before", "counter"]).await;
    host.client().upload(&component("upgrade-after").await).await.expect(201);
    let shown = at(host.client().base(), &["modules", "-o", "json"]).await;
    let document: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let text = |module: &Value, field: &str| module[field].as_str().unwrap_or_default().to_owned();
    let modules: Vec<&Value> = document["modules"].as_array().into_iter().flatten().collect();
    let names: Vec<String> = modules.iter().map(|module| text(module, "name")).collect();
    assert!(names.len() == 5 && names.is_sorted(), "{names:?}");
    let installed: Vec<i64> = modules
        .iter()
        .filter(|module| text(module, "name") == "ledger")
        .filter_map(|module| module["installedTimeMicros"].as_i64())
        .collect();
    assert!(installed.len() == 2 && installed[0] > installed[1], "{document}");
    // A PATCH without fields is an empty object, as the help says.
    host.client().post("/core/counters", &json!({ "documentSelfLink": "c", "step": 5 })).await.expect(201);
    let patched = at(host.client().base(), &["patch", "/core/counters/c", "{}"]).await;
    assert!(
        printed(&patched).contains("\"count\": 5") || printed(&patched).contains("\"count\":5"),
        "{}",
        printed(&patched)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shell_a_manual_and_a_doctor_want_to_know_is_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let completions = steward(&["completions", shell]);
        assert!(completions.status.success() && printed(&completions).contains("undeploy"), "{shell}");
    }
    let languages = "compgen -W \"rust go c python javascript typescript\"";
    assert!(printed(&steward(&["completions", "bash"])).contains(languages), "values of --lang");
    let page = steward(&["man", "deploy"]);
    assert!(printed(&page).contains(".TH steward") && printed(&page).contains("factory"), "{}", printed(&page));
    assert_eq!(steward(&["man", "nothing"]).status.code(), Some(2));
    let host = host_with(&[]).await;
    let well = at(host.client().base(), &["doctor", "-o", "json"]).await;
    let checks: Value = serde_json::from_slice(&well.stdout).expect("JSON");
    assert_eq!((checks["ok"].as_bool(), well.status.code()), (Some(true), Some(0)), "{checks}");
    let node = checks["checks"].as_array().into_iter().flatten().find(|check| check["name"] == "node");
    assert_eq!(node.expect("a check")["state"], "ok", "{checks}");
    for language in ["rust", "go", "c", "python", "javascript", "typescript"] {
        let found = checks["checks"].as_array().into_iter().flatten().find(|check| check["name"] == language);
        assert!(found.is_some_and(|check| check["state"] != "FAIL"), "{language}: {checks}");
    }
}

#[test]
fn authors_are_told_what_to_do_before_anything_takes_long() {
    let above = tempfile::tempdir().expect("a folder");
    let folder = |name: &str| above.path().join(name).display().to_string();
    std::fs::write(folder("lone.py"), "").expect("a script");
    let refused = steward(&["dev", &folder("lone.py")]);
    assert!(said(&refused).contains("deployed as it is: steward deploy"), "{}", said(&refused));
    // It would not build: nobody has come that far.
    std::fs::create_dir(folder("broken")).expect("a folder");
    std::fs::write(folder("broken") + "/Cargo.toml", "no manifest").expect("a file");
    let unreached = steward(&["deploy", &folder("broken"), "-y", "-H", "http://127.0.0.1:1"]);
    assert!(said(&unreached).contains("unreachable"), "{}", said(&unreached));
    let bare = author::ran(author::steward(above.path()).args(["test", "broken"]).env("PATH", "/nowhere"));
    assert!(said(&bare).contains("there is no cargo") && said(&bare).contains("rustup"), "{}", said(&bare));
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_say_how_something_stands_are_coloured_where_colours_are_wanted() {
    let host = host_with(&["counter"]).await;
    let base = host.client().base().to_owned();
    for command in ["nodes", "status", "services"] {
        let coloured = printed(&at(&base, &[command, "--color", "always"]).await);
        assert!(coloured.contains("  \u{1b}[32mAVAILABLE\u{1b}[0m  "), "{command}: {coloured}");
        let plain = printed(&at(&base, &[command]).await);
        assert!(plain.contains("  AVAILABLE  ") && !plain.contains('\u{1b}'), "{command}: {plain}");
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused_and_all_are_shown_with_their_origins() {
    let loud = steward(&["start", "--ephemeral", "--port", "0", "--log-level", "loud"]);
    assert_eq!(loud.status.code(), Some(2), "{}", said(&loud));
    assert!(said(&loud).contains("write error, warn, info, debug or trace"), "{}", said(&loud));
    let shown = steward(&["config", "show", "--port", "8001"]);
    let line = printed(&shown).lines().find(|line| line.starts_with("port")).map(str::to_owned).expect("the port");
    assert!(line.contains("8001") && line.contains("flag --port"), "{line}");
    assert!(
        printed(&shown).lines().any(|line| line.starts_with("data") && line.ends_with("default")),
        "{}",
        printed(&shown)
    );
}

#[test]
fn a_command_that_is_not_there_is_answered_with_what_may_have_been_meant() {
    let asked = |word: &str| said(&steward(&[word]));
    assert!(asked("stauts").contains("status"), "{}", asked("stauts"));
    assert!(asked("logs").contains("'log'"), "{}", asked("logs"));
    for word in ["generate", "test", "xyz"] {
        assert!(!asked(word).contains("similar"), "{}", asked(word));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_document_says_does_not_command_the_terminal() {
    let host = host_with(&["examples"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    let name = "\u{1b}[31mred\u{7}\u{9b}31m\u{202e}abc\u{2028}end";
    client.post("/core/examples", &json!({ "documentSelfLink": "e", "name": name })).await.expect(201);
    for arguments in [
        &["query", "/core/examples"][..],
        &["history", "/core/examples/e"],
        &["get", "/core/examples/e"],
        &["get", "/core/examples/e", "-o", "json"],
        &["query", "/core/examples", &format!("{name} eq 1")],
    ] {
        let output = at(&base, arguments).await;
        let written = printed(&output) + &said(&output);
        let commands = |c: char| (c.is_control() && !"\n\t".contains(c)) || "\u{202e}\u{2028}".contains(c);
        assert!(!written.contains(commands), "{arguments:?}: {written:?}");
        assert!(written.contains("31mred"), "{arguments:?}: {written}");
    }
    // Nor does it make rows of its own.
    let row = "x\n/core/examples/forged\t1\r\n/core/examples/forged";
    client.post("/core/examples", &json!({ "documentSelfLink": "rows", "name": row })).await.expect(201);
    for arguments in [&["query", "/core/examples"][..], &["history", "/core/examples/rows"]] {
        let output = at(&base, arguments).await;
        assert!(
            !printed(&output).lines().any(|line| line.starts_with("/core/examples/forged")),
            "{}",
            printed(&output)
        );
    }
    let shown = at(&base, &["get", "/core/examples/e", "-o", "json"]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON all the same");
    assert!(shown.to_string().contains("202e") || shown.to_string().contains('\u{202e}'), "{shown}");
}
