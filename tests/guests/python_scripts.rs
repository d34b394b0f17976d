//! What is true of scripts in Python alone: a part of its library, refusals that name a line, and a time and randomness that a replay finds
//! again.

use serde_json::{Value, json};

use crate::scripts::deploy_files;
use crate::{Examination, PATIENT};

/// Notes in the state whatever Python takes from a system, directly and by way of its library.
const SEEN: &str = r#"import datetime, json, os, random, secrets, time, uuid
from lib.numbers import doubled
from steward import Context, field, patch, service

loaded = [time.time(), random.random(), uuid.uuid4().hex]


@service("/core/seen", retention=9)
class Seen:
    n: int = 1
    seen: list = field([])

    def handle_patch(self, ctx: Context):
        print("doubles", self.n)
        self.n = doubled(self.n)
        clock = [time.time(), datetime.datetime.now(datetime.timezone.utc).timestamp(), time.monotonic(), ctx.now.timestamp()]
        chance = [random.random(), os.urandom(600).hex(), uuid.uuid4().hex, secrets.token_hex(8), ctx.random.random(), hash("seen")]
        self.seen = [clock, chance, loaded]

    @patch("library")
    def library(self):
        json.loads("{")

    @patch("exit")
    def exit(self):
        raise SystemExit(3)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_cannot_run_is_refused_with_file_and_line() {
    let examination = Examination::begin(&PATIENT).await;
    let service = "from steward import Context, service\n";
    for (name, text, told) in [
        ("a.py", format!("{service}class A(\n"), "a.py:2: SyntaxError: '(' was never closed"),
        ("b.py", format!("{service}def f():\nreturn 1\n"), "b.py:3: IndentationError"),
        ("c.py", format!("{service}\n@service(\"/c\")\nclass C:\n    n: int = nothing\n"), "c.py:5: NameError"),
        ("d.py", format!("{service}x = 1\n"), "d.py makes 0 services with @service"),
        ("e.py", format!("{service}import numpy.linalg\n"), "e.py:2: ModuleNotFoundError: there is no module 'numpy'"),
        (
            "f.py",
            format!("{service}\nimport socket\n"),
            "f.py:3: ModuleNotFoundError: a script does not have the module 'socket'; of Python there are abc, array",
        ),
        ("g.py", format!("{service}from .none import x\n"), "g.py:2: ImportError: attempted relative import"),
        ("random.py", service.to_owned(), "random.py has the name of a module that is there already"),
        ("h.py", format!("{service}open('h.py')\n"), "h.py:2: FileNotFoundError"),
        (
            "i.py",
            format!("{service}\n@service(\"/i\")\nclass I:\n    def handle_pat(self): pass\n"),
            "i.py:3: TypeError: I.handle_pat is no handler",
        ),
        (
            "j.py",
            format!("{service}import datetime\n\n@service(\"/j\")\nclass J:\n    n: int = 0\n    due: datetime.date\n"),
            "j.py:7: FieldError: J.due is annotated with date, of which steward can make no JSON; known are bool, int",
        ),
        (
            "k.py",
            format!(
                "{service}\n@service(\"/k\")\nclass K:\n    def handle_patch(\n        self,\n        by: set,\n    ): pass\n"
            ),
            "k.py:7: FieldError: by of K.handle_patch is annotated with set",
        ),
        (
            "l.py",
            format!("{service}\n@service(\"core/ee\")\nclass L: pass\n"),
            "l.py:3: TypeError: factory is 'core/ee', and has to be a path",
        ),
    ] {
        let refused = deploy_files(&examination.host, &[(name, &text)], &format!("/refused/{name}"));
        let said = refused.expect_err("it cannot run");
        assert!(said.contains("module-script") && said.contains(told), "{name}: {said}");
    }
    let eager = format!("{service}\n@service(\"/m\", start=\"eager\")\nclass M: pass\n");
    let said = deploy_files(&examination.host, &[("m.py", &eager)], "/refused/m").expect_err("nothing to start");
    assert!(said.contains("m.py: descriptor of m: handlers must list handle-start"), "{said}");
    let broken = [("a.py", "import b\n"), ("b.py", "\nx = = 1\n")];
    let said = deploy_files(&examination.host, &broken, "/refused/within").expect_err("its module is broken");
    assert!(said.contains("b.py:2: SyntaxError"), "{said}");
    let mixed = [("a.js", "import \"./b.py\";\n"), ("b.py", "x = 1\n")];
    let said = deploy_files(&examination.host, &mixed, "/refused/mixed").expect_err("two interpreters");
    assert!(
        said.contains("module-script") && said.contains("b.py is Python, and the script of a.js is JavaScript"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_is_told_from_what_a_handler_spoils() {
    let examination = Examination::begin(&PATIENT).await;
    let text = "from steward import field, patch, service\n\n\n@service(\"/core/counts\")\nclass Count:\n    count: int = 0\n\n    \
        @patch(\"add\")\n    def add(self, by: int):\n        self.count += by\n\n    \
        @patch(\"text\")\n    def text(self):\n        print(\"here\")\n        self.count = \"x\"\n";
    deploy_files(&examination.host, &[("counts.py", text)], "/core/counts").expect("it is deployed");
    let client = examination.host.client();
    client.post("/core/counts", &json!({ "documentSelfLink": "a" })).await.expect(201);
    let spoilt = client.patch("/core/counts/a", &json!({ "kind": "text" })).await.expect(500).json();
    assert_eq!((&spoilt["code"], spoilt.get("errors")), (&json!("guest-outcome"), None), "{spoilt}");
    let told = "count must be an integer, found the text \"x\" at counts.py:15";
    assert!(spoilt["detail"].as_str().is_some_and(|detail| detail.ends_with(told)), "{spoilt}");
    let log = examination.host.log();
    assert!(log.contains("the service has left a state that does not fit") && log.contains("counts.py:15"), "{log}");

    // Integers of 64 bits are kept digit for digit; what is larger is refused wherever it comes in.
    let most = u64::MAX;
    let added = client.patch("/core/counts/a", &json!({ "kind": "add", "by": most })).await.expect(200).json();
    assert_eq!(added["count"], most);
    let overflows = client.patch("/core/counts/a", &json!({ "kind": "add", "by": 1 })).await.expect(500).json();
    assert_eq!(overflows["code"], "guest-outcome", "{overflows}");
    for (method, path, body, pointer) in [
        ("PATCH", "/core/counts/a", "{\"kind\":\"add\",\"by\":18446744073709551616}", "/by"),
        ("PATCH", "/core/counts/a", "{\"kind\":\"add\",\"by\":-9223372036854775809}", "/by"),
        ("PUT", "/core/counts/a", "{\"count\":18446744073709551616}", "/count"),
        ("POST", "/core/counts", "{\"count\":18446744073709551616}", "/count"),
    ] {
        let method = http::Method::from_bytes(method.as_bytes()).expect("a method");
        let header = [("content-type", "application/json")];
        let answer = client.send(method, path, &header, body.as_bytes().to_vec()).await.expect("an answer");
        let refused = answer.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{path}: {refused}");
    }
    let refused = client.patch("/core/counts/a", &json!({ "kind": "add" })).await.expect(400).json();
    assert_eq!(refused["errors"], json!([{ "pointer": "/by", "detail": "by is required" }]), "one fault is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_python_takes_from_a_system_is_the_requests_own_and_a_replay_finds_it_again() {
    let examination = Examination::begin(&[&PATIENT[..], &["--record-requests"]].concat()).await;
    let files = [
        ("seen.py", SEEN),
        ("lib/numbers.py", "from .factor import FACTOR\n\n\ndef doubled(n):\n    return FACTOR * n\n"),
        ("lib/factor.py", "FACTOR = 2\n"),
    ];
    deploy_files(&examination.host, &files, "/core/seen").expect("it is deployed");
    let client = examination.host.client();
    client.post("/core/seen", &json!({ "documentSelfLink": "a" })).await.expect(201);
    let mut chances = Vec::new();
    for version in 1..=2 {
        let state = client.patch("/core/seen/a", &json!({})).await.expect(200).json();
        assert_eq!(state["n"], 1 << version);
        let [clock, chance, loaded] = [0, 1, 2].map(|at| state["seen"][at].as_array().expect("a list").clone());
        let stands =
            |time: &Value| (time.as_f64().unwrap_or_default() - clock[3].as_f64().unwrap_or(1.0)).abs() < 0.000_01;
        assert!(clock.iter().all(stands), "all clocks stand at the request's time: {clock:?}");
        assert_eq!(loaded[0], 0.0, "the top level runs at the beginning of time");
        assert_ne!(chance[0], chance[4], "two sources of chance differ");
        chances.push((chance[..5].to_vec(), chance[5].clone(), loaded));
        let asked = json!({ "documentSelfLink": "/core/seen/a", "version": version, "module": "mounted" });
        let replayed = client.post("/core/replays", &asked).await.expect(200).json();
        assert_eq!(
            (&replayed["differences"], &replayed["replayed"]["state"]["n"]),
            (&json!([]), &state["n"]),
            "{replayed}"
        );
    }
    let [(first, hash, loaded), (second, again, reloaded)] = &chances[..] else { unreachable!("two were pushed") };
    assert!(first.iter().zip(second).all(|(one, other): (&Value, &Value)| one != other), "{first:?} {second:?}");
    assert_eq!((hash, loaded), (again, reloaded), "what is loaded is the same in every instance");
    for (kind, line, error) in
        [("library", "json.loads(", "JSONDecodeError"), ("exit", "raise SystemExit", "SystemExit: 3")]
    {
        let problem = client.patch("/core/seen/a", &json!({ "kind": kind })).await.expect(500).json();
        let number = SEEN.lines().position(|text| text.contains(line)).expect("it is there") + 1;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.starts_with(error) && detail.ends_with(&format!("at seen.py:{number}")), "{problem}");
    }
    let log = examination.host.log();
    assert!(log.contains("doubles 2"), "{log}");
}
