//! What the macros make of a service, seen from outside: its descriptor, its dispatch, its refusals.

use std::collections::BTreeMap;

use steward_model::service::{Descriptor, Handler as Listed, IndexType, NativePatch, NativePut, ServiceOption};
use steward_sdk::mock::Host;
use steward_sdk::prelude::*;
use steward_sdk::{Guest, Handler};

/// An account.
#[derive(Document)]
struct Account {
    #[document(min_length = 1, max_length = 8)]
    owner: String,
    #[document(default)]
    balance: i64,
    #[document(default = "EUR")]
    currency: String,
    #[document(default)]
    limits: BTreeMap<String, Limit>,
    note: Option<String>,
}

#[derive(Document)]
struct Limit {
    #[document(minimum = 1, maximum = 100)]
    percent: u8,
}

#[derive(Document)]
struct Deposit {
    amount: i64,
}

#[derive(Document)]
struct AccountV1 {
    owner: String,
    cents: i64,
}

#[service(
    factory = "/bank/accounts",
    kind = "example:Account",
    options(persistence, replication, owner_selection, strict_update_checking),
    state_version = 2,
    retention = 10,
    outbound("bank.example", "*.example.com:8443"),
    index("owner" = string, "balance" = number),
    limits(deadline_millis = 500)
)]
impl Account {
    fn handle_start(&self, ctx: &mut Context) {
        ctx.stat("starts", 1.0);
    }

    #[patch(kind = "deposit")]
    fn deposit(&mut self, ctx: &mut Context, deposit: Deposit) -> Result<Reply> {
        self.balance = self.balance.checked_add(deposit.amount).or_conflict("too rich")?;
        ctx.create("/bank/audits", &json!({ "amount": deposit.amount })).reply_tag("audited");
        Reply::json(&json!({ "balance": self.balance }))
    }

    /// Reminds the owner after a day, unless something comes before.
    #[patch(kind = "remind")]
    fn remind(&mut self, ctx: &mut Context) {
        ctx.cancel("due & late");
        ctx.patch("/bank/letters", &json!({})).after(Duration::from_secs(86_400)).reply_tag("due & late");
    }

    #[patch(kind = "close")]
    fn close(&mut self, ctx: &mut Context, #[field] after_seconds: u64) {
        ctx.expire_in(Duration::from_secs(after_seconds));
    }

    fn handle_get(&self) -> Result<Reply> {
        Ok(Reply::json(&json!({ "owner": self.owner }))?.with_header("X-Seen", "yes"))
    }

    #[reply("audited")]
    fn audited(&mut self, answer: &Answer) {
        self.note = Some(format!("audit {}", answer.status));
    }

    #[every("30s")]
    fn handle_maintenance(&mut self) {}

    #[migrate(from = 1)]
    fn from_v1(old: AccountV1) -> Result<Account> {
        let currency = "EUR".to_owned();
        Ok(Account { owner: old.owner, balance: old.cents / 100, currency, limits: BTreeMap::new(), note: None })
    }

    fn merge(ours: Account, theirs: Account) -> Result<Account> {
        Ok(if ours.balance >= theirs.balance { ours } else { theirs })
    }
}

/// A service without documents.
struct Echo;

#[service(factory = "/echo", options(stateless))]
impl Echo {
    fn handle_post(ctx: &mut Context, body: Value) -> Result<Reply> {
        Reply::json(&json!({ "link": ctx.link(), "word": ctx.parameter("word"), "body": body }))
    }
}

/// A seat that is taken once.
#[derive(Document)]
struct Seat {
    row: u64,
    #[document(default)]
    changes: u64,
}

#[service(factory = "/seats")]
impl Seat {
    fn handle_create(&mut self, ctx: &mut Context) -> Result {
        ensure!(self.row != 13, invalid("row", "there is no row 13"));
        self.changes = if ctx.exists() { ctx.version() + 1 } else { 0 };
        Ok(())
    }
}

/// A vow, which nobody replaces.
#[derive(Document)]
struct Vow {
    text: String,
}

#[service(factory = "/vows", put = "none")]
impl Vow {}

fn account() -> (Host, String) {
    let mut host = Host::serving::<Account>();
    let link = host.post("/bank/accounts", json!({ "owner": "ann" })).link();
    (host, link)
}

#[test]
fn a_put_is_decided_on_by_create_or_by_nobody() {
    let mut host = Host::serving::<Seat>();
    let seat = host.post("/seats", json!({ "row": 1 })).link();
    assert_eq!(host.put(&seat, json!({ "row": 13 })).pointer(), "/row");
    assert_eq!(host.put(&seat, json!({ "row": 2 })).body["changes"], 1);
    let mut host = Host::serving::<Vow>();
    let vow = host.post("/vows", json!({ "text": "always" })).link();
    assert_eq!(host.put(&vow, json!({ "text": "never" })).status, 405);
    assert_eq!(host.get(&vow).body["text"], "always");
    let descriptor = Descriptor::parse(&<Vow as Guest>::describe()).expect("a valid descriptor");
    assert_eq!(descriptor.put, NativePut::None);
}

#[test]
fn the_descriptor_is_what_the_host_expects() {
    let descriptor = Descriptor::parse(&<Account as Guest>::describe()).expect("a valid descriptor");
    assert_eq!((descriptor.name.as_str(), descriptor.kind()), ("account", "example:Account"));
    assert_eq!(descriptor.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(descriptor.docs, "An account.");
    assert_eq!((descriptor.state_version, descriptor.reads_state_versions.as_slice()), (2, &[1][..]));
    assert_eq!((descriptor.maintenance_interval_micros, descriptor.version_retention), (30_000_000, 10));
    assert_eq!(descriptor.capabilities.outbound, ["bank.example", "*.example.com:8443"]);
    assert_eq!(descriptor.limits.deadline_millis, 500);
    assert_eq!(descriptor.patch, NativePatch::None);
    assert!(descriptor.has(ServiceOption::PeriodicMaintenance) && descriptor.has(ServiceOption::StrictUpdateChecking));
    for handler in [Listed::HandleCreate, Listed::HandleGet, Listed::HandleReply, Listed::Migrate, Listed::Merge] {
        assert!(descriptor.handles(handler), "{handler:?}");
    }
    assert!(!descriptor.handles(Listed::HandlePut) && descriptor.put == NativePut::Replace);
    assert!(!descriptor.handles(Listed::HandleDelete) && !descriptor.handles(Listed::HandlePost));
    let index = descriptor.index.expect("an index");
    assert_eq!((index[1].path.as_str(), index[1].kind), ("balance", IndexType::Number));
    let kinds: Vec<&String> = descriptor.actions["handle-patch"].keys().collect();
    assert_eq!(kinds, ["close", "deposit", "remind"]);
    let properties = &descriptor.state_schema["properties"];
    assert_eq!(properties["currency"]["default"], "EUR");
    assert_eq!(properties["limits"]["additionalProperties"]["properties"]["percent"]["maximum"], 100);
    assert_eq!(descriptor.state_schema["required"], json!(["owner"]));
}

#[test]
fn options_are_safe_when_none_are_named() {
    #[derive(Document)]
    struct Plain {}

    #[service(factory = "/plain", patch = "merge")]
    impl Plain {}

    let descriptor = Descriptor::parse(&<Plain as Guest>::describe()).expect("a valid descriptor");
    let safe = [ServiceOption::Persistence, ServiceOption::Replication, ServiceOption::OwnerSelection];
    assert_eq!(descriptor.options, safe);
    assert_eq!(descriptor.patch, NativePatch::Merge);
    assert_eq!(descriptor.reads_state_versions, Vec::<u32>::new());
}

#[test]
fn a_stateless_service_answers_every_path_below_it() {
    let descriptor = Descriptor::parse(&<Echo as Guest>::describe()).expect("a valid descriptor");
    assert_eq!(descriptor.handlers, [Listed::HandlePost]);
    let mut host = Host::serving::<Echo>();
    let reply = host.post("/echo/a/b?word=hello", json!([1]));
    assert_eq!(reply.body, json!({ "link": "/echo/a/b", "word": "hello", "body": [1] }));
    assert_eq!(host.get("/echo").status, 405);
}

#[test]
fn bodies_are_told_apart_by_their_kind_and_refused_by_their_field() {
    let (mut host, link) = account();
    let paid = host.patch(&link, json!({ "kind": "deposit", "amount": 5, "documentVersion": 0 }));
    assert_eq!((paid.status, paid.body), (200, json!({ "balance": 5 })));
    for (body, pointer) in [
        (json!({ "kind": "deposit", "documentVersion": 1 }), "/amount"),
        (json!({ "kind": "deposit", "amount": 1.5, "documentVersion": 1 }), "/amount"),
        (json!({ "kind": "close", "afterSeconds": -1, "documentVersion": 1 }), "/afterSeconds"),
        (json!({ "kind": "rob", "documentVersion": 1 }), "/kind"),
    ] {
        let refused = host.patch(&link, body.clone());
        assert_eq!((refused.status, refused.pointer()), (400, pointer), "{body} {}", refused.body);
    }
    let nested = json!({ "owner": "bob", "limits": { "card": { "percent": 101 } } });
    assert_eq!(host.post("/bank/accounts", nested).pointer(), "/limits/card/percent");
    assert_eq!(host.post("/bank/accounts", json!({ "owner": "robert-the-third" })).pointer(), "/owner");
    assert_eq!(host.patch(&link, json!({ "kind": "deposit", "amount": 1, "documentVersion": 9 })).status, 409);
}

/// What a level may not become.
#[derive(Document)]
struct Level {
    #[document(default, maximum = 100)]
    degrees: u64,
}

#[service(factory = "/levels")]
impl Level {
    #[patch(kind = "own")]
    fn spoil(&mut self) {
        self.degrees = 101;
    }

    #[patch(kind = "over")]
    fn take_over(&mut self, #[field] degrees: u64) {
        self.degrees = degrees;
    }
}

#[test]
fn a_state_that_a_handler_spoils_is_its_own_fault_unless_the_client_has_sent_the_value() {
    let mut host = Host::serving::<Level>();
    let link = host.post("/levels", json!({})).link();
    let own = host.patch(&link, json!({ "kind": "own" }));
    assert_eq!((own.status, own.code(), own.pointer()), (500, "guest-outcome", ""), "{}", own.body);
    assert_eq!(own.message(), "the service has left a state that does not fit: degrees must be 100 or less, found 101");
    let over = host.patch(&link, json!({ "kind": "over", "degrees": 102 }));
    assert_eq!((over.status, over.pointer()), (400, "/degrees"), "{}", over.body);
    assert_eq!(host.versions(&link).len(), 1);
}

#[test]
fn an_answer_comes_back_with_its_tag() {
    let (host, link) = account();
    let mut host = host.answering("/bank/audits", |_| mock::Response::new(201, Value::Null));
    host.patch(&link, json!({ "kind": "deposit", "amount": 5, "documentVersion": 0 }));
    assert_eq!(host.versions(&link).len(), 2);
    host.settle();
    assert_eq!(host.versions(&link)[2]["note"], "audit 201");
    assert_eq!(host.stat("starts"), 1.0);
}

#[test]
fn a_timer_that_is_cancelled_does_not_go_off() {
    let (host, link) = account();
    let mut host = host.answering("/bank/", |_| mock::Response::new(201, Value::Null));
    let remind = |version: u64| json!({ "kind": "remind", "documentVersion": version });
    assert_eq!(host.patch(&link, remind(0)).status, 200);
    host.advance(Duration::from_secs(80_000));
    assert_eq!(host.patch(&link, remind(1)).status, 200);
    let waiting: Vec<String> = host.waiting().into_iter().map(|effect| effect.reply_tag).collect();
    assert_eq!(waiting, ["due & late"], "the first of two was given up");
    host.advance(Duration::from_secs(80_000));
    assert!(host.sent().is_empty());
    host.advance(Duration::from_secs(6_400));
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn states_migrate_and_merge_as_texts() {
    let old = json!({ "owner": "ann", "cents": 1234 }).to_string();
    let new = <Account as Guest>::migrate(old, 1).expect("a migrated state");
    assert!(new.contains(r#""balance":12"#), "{new}");
    assert_eq!(<Account as Guest>::migrate("{}".to_owned(), 7).expect_err("unknown").status, 501);
    let poor = json!({ "owner": "ann", "balance": 1 }).to_string();
    assert_eq!(<Account as Guest>::merge(poor, new.clone()).expect("a merged state"), new);
}

#[test]
fn a_handler_that_was_not_written_is_not_there() {
    let (mut host, link) = account();
    assert_eq!(host.post(&link, json!({})).status, 405);
    let request = steward_sdk::Request {
        link,
        query: String::new(),
        headers: Vec::new(),
        body: None,
        principal: String::new(),
        cause: Cause::Client,
        now_micros: 0,
        seed: 0,
        version: 0,
        exists: true,
        expires_micros: 0,
    };
    let refused = <Account as Guest>::handle(Handler::Post, "{}".to_owned(), request).expect_err("no such handler");
    assert_eq!((refused.status, refused.code.as_str()), (501, "handler-missing"));
}

#[test]
fn expiry_ends_a_document_and_methods_stay_methods() {
    let (mut host, link) = account();
    host.patch(&link, json!({ "kind": "close", "afterSeconds": 10, "documentVersion": 0 }));
    host.advance(Duration::from_secs(9));
    let seen = host.get(&link);
    assert_eq!((seen.body, seen.headers[0].name.as_str()), (json!({ "owner": "ann" }), "x-seen"));
    host.advance(Duration::from_secs(1));
    assert_eq!(host.get(&link).status, 404);
    let limits = BTreeMap::from([("card".to_owned(), Limit { percent: 5 })]);
    let mut plain = Account { owner: "ann".to_owned(), balance: 1, currency: "EUR".to_owned(), limits, note: None };
    plain.handle_maintenance();
    assert_eq!((plain.balance, plain.limits["card"].percent, plain.currency.as_str()), (1, 5, "EUR"));
}

/// A number plate.
#[derive(Document)]
struct Plate {
    #[schemars(regex(pattern = r"^[A-Z]{2}-\d+$"))]
    number: String,
    #[document(default)]
    former: Vec<Former>,
}

/// A plate that was there before.
#[derive(Document)]
struct Former {
    #[schemars(regex(pattern = "^[A-Z]"))]
    number: String,
}

/// Another number, which is to be like the first.
#[derive(Document)]
struct Change {
    #[schemars(regex(pattern = r"^[A-Z]{2}-\d+$"))]
    to: String,
}

/// Another number, of which nobody says what it is to be like.
#[derive(Document)]
struct Scrawl {
    scrawled: String,
}

#[service(factory = "/plates")]
impl Plate {
    #[patch(kind = "change")]
    fn change(&mut self, change: Change) {
        self.number = change.to;
    }

    #[patch(kind = "scrawl")]
    fn scrawl(&mut self, scrawl: Scrawl) {
        self.number = scrawl.scrawled;
    }
}

#[test]
fn the_host_is_told_the_patterns_of_states_and_bodies() {
    let described = Descriptor::parse(&<Plate as Guest>::describe()).expect("a descriptor");
    let body = &described.actions["handle-patch"]["change"];
    for (schema, field) in [(&described.state_schema, "number"), (body, "to")] {
        assert_eq!(schema["properties"][field]["pattern"], r"^[A-Z]{2}-\d+$", "{schema}");
    }
}

#[test]
fn the_mock_host_checks_patterns_as_the_host_does() {
    let mut host = mock::Host::serving::<Plate>();
    let refused = |answer: mock::Response| (answer.status, answer.code().to_owned(), answer.pointer().to_owned());
    let invalid = |pointer: &str| (400, "validation".to_owned(), pointer.to_owned());
    assert_eq!(refused(host.post("/plates", json!({ "number": "none" }))), invalid("/number"));
    let former = json!({ "number": "BE-1", "former": [{ "number": "BE-0" }, { "number": "x" }] });
    assert_eq!(refused(host.post("/plates", former)), invalid("/former/1/number"));
    let plate = host.post("/plates", json!({ "number": "BE-1" })).link();
    assert_eq!(refused(host.put(&plate, json!({ "number": "be-1" }))), invalid("/number"));
    assert_eq!(refused(host.patch(&plate, json!({ "kind": "change", "to": "be-2" }))), invalid("/to"));
    let spoiled = host.patch(&plate, json!({ "kind": "scrawl", "scrawled": "be-2" }));
    assert_eq!(refused(spoiled), (500, "guest-outcome".to_owned(), String::new()));
    assert_eq!(host.patch(&plate, json!({ "kind": "change", "to": "BE-2" })).body["number"], "BE-2");
    assert_eq!(host.versions(&plate).len(), 2);
}

/// What the host merges.
#[derive(Document)]
struct Leaflet {
    #[document(default, max_length = 9)]
    text: String,
}

#[service(factory = "/leaflets", patch = "merge")]
impl Leaflet {}

#[test]
fn every_update_that_is_accepted_takes_its_expiry() {
    let far = 4_102_444_800_000_000_i64;
    let (mut host, owned) = account();
    host = host.with::<Leaflet>();
    let leaflet = host.post("/leaflets", json!({})).link();
    let expires = |answer: mock::Response| (answer.status, answer.body["documentExpirationTimeMicros"].clone());
    let until = |micros: i64| json!({ "documentExpirationTimeMicros": micros });
    assert_eq!(expires(host.patch(&leaflet, until(far))), (200, json!(far)));
    assert_eq!(expires(host.put(&leaflet, until(far + 1))), (200, json!(far + 1)));
    let deposit = json!({ "kind": "deposit", "amount": 1, "documentVersion": 0, "documentExpirationTimeMicros": far });
    assert_eq!(host.patch(&owned, deposit).status, 200);
    assert_eq!(host.versions(&owned)[1]["documentExpirationTimeMicros"], far);
    let kept = host.patch(&leaflet, json!({ "text": "a" }));
    assert_eq!(expires(kept), (200, json!(far + 1)), "who does not speak of it leaves it as it is");
    for wrong in [json!(-1), json!(1.5), json!("soon"), json!(true), json!(u64::MAX)] {
        let refused = host.patch(&leaflet, json!({ "documentExpirationTimeMicros": wrong }));
        assert_eq!((refused.status, refused.pointer()), (400, "/documentExpirationTimeMicros"), "{wrong}");
    }
    let long = host.patch(&leaflet, json!({ "text": "longer than nine", "documentExpirationTimeMicros": 1 }));
    assert_eq!((long.status, long.pointer()), (400, "/text"), "what the host merges is held to the schema");
    assert_eq!(expires(host.get(&leaflet)), (200, json!(far + 1)), "a refusal changes nothing");
    assert_eq!(expires(host.patch(&leaflet, until(0))), (200, json!(0)));
    assert_eq!(expires(host.patch(&leaflet, until(1))), (200, json!(1)), "the answer is that of every update");
    assert_eq!(host.get(&leaflet).status, 404);
}

#[test]
fn a_delete_of_what_is_not_there_answers_an_empty_object() {
    let (mut host, link) = account();
    host.delete(&link);
    for gone in [link.as_str(), "/bank/accounts/nobody"] {
        assert_eq!((host.delete(gone).status, host.delete(gone).body), (200, json!({})));
    }
}
