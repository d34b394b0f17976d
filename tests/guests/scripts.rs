//! What is true of scripts in JavaScript and TypeScript alone: no tools, several files, refusals that name a line, one runner for all.

use serde_json::json;
use steward_tests::host::Host;

use crate::{Examination, PATIENT, compile_runner, deploy};

/// Writes files into a folder of the host's and deploys the first. Returns what is said of it.
pub(crate) fn deploy_files(host: &Host, files: &[(&str, &str)], factory: &str) -> Result<String, String> {
    let folder = host.folder().join(format!("scripts{}", factory.replace('/', "-")));
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    compile_runner(files[0].0);
    let output = deploy(host, &folder.join(files[0].0), factory);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_that_a_runner_is_compiled_and_how_long_it_took() {
    let cache = tempfile::tempdir().expect("a folder");
    let flags = ["--code-cache", cache.path().to_str().expect("UTF-8")];
    let host = tokio::task::block_in_place(|| Host::start(&flags)).expect("the host starts");
    let text = "import { service } from \"steward\";\nexport default service(\"/core/none\");\n";
    deploy_files(&host, &[("none.js", text)], "/core/none").expect("it is deployed");
    let log = host.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("script runner of JavaScript")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("INFO") && told[0].contains("compiling"), "{told:?}");
    assert!(told[1].contains("INFO") && told[1].contains("compiled") && told[1].contains("millis="), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_cannot_run_is_refused_with_file_and_line() {
    let examination = Examination::begin(&PATIENT).await;
    let service = "import { service } from \"steward\";\n";
    for (name, text, told) in [
        ("a.js", "export default service(\n".to_owned(), "a.js:2: SyntaxError"),
        ("b.ts", format!("{service}let x: number = ;\n"), "b.ts:2:17: Unexpected token"),
        (
            "c.ts",
            format!(
                "{service}interface A {{\n  b: string;\n}}\nconst c: A = nothing();\nexport default service(\"/c\");\n"
            ),
            "c.ts:5: ReferenceError",
        ),
        ("d.js", "export default 5;\n".to_owned(), "a script exports its service"),
        ("e.js", format!("{service}export default service(\"/e\").patch(5);\n"), "e.js:2: TypeError"),
        ("f.js", "import _ from \"lodash\";\n".to_owned(), "a script has no packages but \"steward\""),
        ("g.js", "import \"./none.js\";\n".to_owned(), "there is no module 'none.js'"),
        (
            "h.js",
            "await new Promise(() => {});\nexport default 5;\n".to_owned(),
            "waits at its top level for something that never comes",
        ),
    ] {
        let refused = deploy_files(&examination.host, &[(name, &text)], "/refused");
        let said = refused.expect_err("it cannot run");
        assert!(said.contains(told), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_a_state_has_no_more_is_named_before_and_left_out_after() {
    let examination = Examination::begin(&PATIENT).await;
    let client = examination.host.client();
    let script = |fields: &str| {
        format!(
            "import {{ service, t }} from \"steward\";\nexport default service(\"/core/sizes\").state({{ {fields} }}).patch((size) => {{\n  size.n += 1;\n}});\n"
        )
    };
    let deploy = |fields: &str| deploy_files(&examination.host, &[("sizes.ts", &script(fields))], "/core/sizes");
    let said = deploy("n: t.integer().default(0), colour: t.string().default(\"red\")").expect("it is deployed");
    assert!(!said.contains("left out"), "{said}");
    client.post("/core/sizes", &json!({ "documentSelfLink": "a" })).await.expect(201);
    let said = deploy("n: t.integer().default(0)").expect("it is deployed");
    assert!(said.contains("left out: states have no colour any more"), "{said}");
    let patched = client.patch("/core/sizes/a", &json!({})).await.expect(200).json();
    assert_eq!((&patched["n"], patched.get("colour")), (&json!(1), None), "{patched}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_a_handler_spoils_is_its_own_fault_with_field_file_and_line() {
    let examination = Examination::begin(&PATIENT).await;
    let client = examination.host.client();
    let text = r#"import { service, t } from "steward";

interface Told { count: number }

export default service("/core/spoilt")
  .state({ count: t.integer().default(0).max(9), word: t.string().optional() })
  .patch("text", (state) => {
    console.log("here");
    state.count = "x" as unknown as number;
  })
  .patch("typo", (state: any) => {
    state.cuont = 1;
  })
  .patch("twice", (state) => {
    state.count = 10;
    state.count = 11;
  })
  .patch("over", { count: t.json() }, (state, { count }: Told) => {
    state.count = count;
  });
"#;
    deploy_files(&examination.host, &[("spoilt.ts", text)], "/core/spoilt").expect("it is deployed");
    client.post("/core/spoilt", &json!({ "documentSelfLink": "a" })).await.expect(201);
    for (kind, reason, line) in [
        ("text", "count must be an integer, found the text \"x\"", 9),
        ("typo", "the state has no field cuont", 12),
        ("twice", "count must be 9 or less, found 11", 14),
    ] {
        let problem = client.patch("/core/spoilt/a", &json!({ "kind": kind })).await.expect(500).json();
        assert_eq!((&problem["code"], problem.get("errors")), (&json!("guest-outcome"), None), "{problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(reason) && detail.ends_with(&format!(" at spoilt.ts:{line}")), "{detail}");
    }
    let sent = client.patch("/core/spoilt/a", &json!({ "kind": "over", "count": 12 })).await.expect(400).json();
    assert_eq!(sent["errors"][0]["pointer"], "/count", "{sent}");
    let log = examination.host.log();
    assert!(log.contains("the service has left a state that does not fit") && log.contains("spoilt.ts:9"), "{log}");
    let wrong = format!("{}\nservice(\"/x\").state({{ n: t.integer().default(\"one\") }});\n", &text[..38]);
    let refused = deploy_files(&examination.host, &[("wrong.ts", &wrong)], "/core/wrong").expect_err("no default");
    assert!(refused.contains("wrong.ts:3: TypeError: the default of n must be an integer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_script_import_each_other_and_what_they_find_is_the_requests_own() {
    let examination = Examination::begin(&PATIENT).await;
    let main = r#"import { reply, service } from "steward";
import { doubled } from "./lib/numbers.js";
import type { Unused } from "./lib/types";

let calls = 0;
const loaded = Date.now();

export default service("/core/sums").patch((sum, body: { n: number }, ctx) => {
  console.log("doubles", body.n);
  calls += 1;
  return reply({
    n: doubled(body.n), loaded, clock: Date.now() === ctx.now.getTime() && new Date().getTime() === ctx.now.getTime(),
    random: [Math.random(), ctx.random()], globals: ["fetch", "setTimeout", "process", "require"].filter((name) => name in globalThis),
  });
});
"#;
    let files = [
        ("sums.ts", main),
        (
            "lib/numbers.ts",
            "import { factor } from \"../factor\";\nexport const doubled = <N extends number>(n: N): number => n * factor;\n",
        ),
        ("factor.js", "export const factor = 2;\n"),
    ];
    deploy_files(&examination.host, &files, "/core/sums").expect("it is deployed");
    let client = examination.host.client();
    client.post("/core/sums", &json!({ "documentSelfLink": "a" })).await.expect(201);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let told = client.patch("/core/sums/a", &json!({ "n": 21 })).await.expect(200).json();
        assert_eq!((&told["n"], &told["loaded"], &told["clock"]), (&json!(42), &json!(0), &json!(true)), "{told}");
        assert_eq!(told["globals"], json!([]));
        seen.push(told["random"].to_string());
    }
    assert_ne!(seen[0], seen[1], "each request has randomness of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_says_is_logged_with_its_line() {
    let examination = Examination::begin(&PATIENT).await;
    let text = "import { service } from \"steward\";\nexport default service(\"/core/talks\").patch((talk, { n }) => {\n  console.warn(\"heard\", n, { a: [1n] });\n});\n";
    deploy_files(&examination.host, &[("talks.ts", text)], "/core/talks").expect("it is deployed");
    let client = examination.host.client();
    client.post("/core/talks", &json!({ "documentSelfLink": "a" })).await.expect(201);
    client.patch("/core/talks/a", &json!({ "n": 7 })).await.expect(200);
    let log = examination.host.log();
    assert!(log.contains("heard 7 {\"a\":[1]}") && log.contains("talks.ts:3"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_logs_is_one_line_whatever_a_client_has_sent() {
    let examination = Examination::begin(&PATIENT).await;
    let text = "import { service } from \"steward\";\nexport default service(\"/core/talks\").patch((talk, { n }, ctx) => {\n  ctx.log(\"warn\", `heard ${n}`, { said: n });\n});\n";
    deploy_files(&examination.host, &[("talks.ts", text)], "/core/talks").expect("it is deployed");
    let client = examination.host.client();
    client.post("/core/talks", &json!({ "documentSelfLink": "t" })).await.expect(201);
    let forged = "a\n2026-01-01T00:00:00.000000Z ERROR forged: the disk is gone\r\u{1b}[2J\u{2028}b";
    client.patch("/core/talks/t", &json!({ "n": forged })).await.expect(200);
    let log = examination.host.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("the disk is gone")).collect();
    assert!(told.len() == 1 && told[0].contains("heard a"), "{told:?}");
    assert!(!told[0].starts_with("2026-01-01") && !told[0].contains(['\u{1b}', '\u{2028}', '\r']), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_without_documents_answers_and_is_given_no_state() {
    let examination = Examination::begin(&PATIENT).await;
    let text = r#"import { reply, service, t } from "steward";

export default service("/adder", { options: ["stateless"] })
  .get((ctx, ...more) => reply({ asked: ctx.link, given: more.length }))
  .post({ a: t.integer(), b: t.integer() }, ({ a, b }) => reply({ sum: a + b }));
"#;
    deploy_files(&examination.host, &[("adder.js", text)], "/adder").expect("it is deployed");
    let client = examination.host.client();
    let shown = client.get("/adder/below").await.expect(200).json();
    assert_eq!(shown, json!({ "asked": "/adder/below", "given": 0 }));
    let added = client.post("/adder", &json!({ "a": 40, "b": 2 })).await.expect(200).json();
    assert_eq!(added, json!({ "sum": 42 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_service_reads_its_own_documents_with_the_only_worker_that_it_has() {
    let examination = Examination::begin(&["--guest-share", "1", "--guest-deadline", "30s"]).await;
    let slow = r#"import { service, t } from "steward";

const work = () => {
  let sum = 0;
  for (let i = 0; i < 1_000_000; i++) sum += i;
  return sum;
};

export default service("/core/slow")
  .state({ n: t.integer().default(1) })
  .get(() => {
    work();
  })
  .patch("read", { link: t.string() }, (state, { link }, ctx) => {
    work();
    state.n += ctx.read(link).n;
  });
"#;
    deploy_files(&examination.host, &[("slow.ts", slow)], "/core/slow").expect("it is deployed");
    let client = examination.host.client();
    for name in ["a", "b"] {
        client.post("/core/slow", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    for n in 2..6 {
        let asked = client.patch("/core/slow/a", &json!({ "kind": "read", "link": "/core/slow/b" })).await;
        assert_eq!(asked.expect(200).json()["n"], n);
    }
}
