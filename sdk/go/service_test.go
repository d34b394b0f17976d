package steward_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"steward"
	"steward/mock"
	"strings"
	"testing"
	"time"
)

// What becomes of a service, seen from outside: its descriptor, its dispatch, its refusals.

type Account struct {
	Owner    string           `json:"owner" steward:"min=1,max=8" doc:"Whose it is."`
	Balance  int64            `json:"balance" steward:"default"`
	Currency string           `json:"currency" steward:"default=EUR,enum=EUR|USD"`
	Limits   map[string]Limit `json:"limits" steward:"default={}"`
	Note     *string          `json:"note,omitempty"`
	Since    *time.Time       `json:"since,omitempty"`
}

type Limit struct {
	Percent uint8 `json:"percent" steward:"min=1,max=100"`
	Daily   bool  `json:"daily" steward:"default=true"`
}

type Deposit struct {
	Amount int64 `json:"amount"`
}

type Close struct {
	AfterSeconds uint64 `json:"afterSeconds"`
}

type AccountV1 struct {
	Owner string `json:"owner"`
	Cents int64  `json:"cents"`
}

var accounts = steward.New(steward.Service[Account]{
	Factory: "/bank/accounts", Kind: "example:Account", StateVersion: 2, Retention: 10,
	Options:  []steward.Option{steward.Persistence, steward.Replication, steward.OwnerSelection, steward.StrictUpdateChecking},
	Index:    []steward.Index{{"owner", "string"}, {"balance", "number"}},
	Outbound: []string{"bank.example"},
	Limits:   steward.Limits{DeadlineMillis: 500},
	Start: func(_ *Account, ctx *steward.Context) error {
		ctx.Stat("starts", 1)
		return nil
	},
	Patch: steward.Kinds[Account]{
		"deposit": steward.With(func(a *Account, ctx *steward.Context, deposit Deposit) error {
			a.Balance += deposit.Amount
			ctx.Create("/bank/audits", deposit).ReplyTag("audited")
			ctx.Reply(map[string]int64{"balance": a.Balance})
			return nil
		}),
		"close": steward.With(func(_ *Account, ctx *steward.Context, body Close) error {
			ctx.ExpireIn(time.Duration(body.AfterSeconds) * time.Second)
			return nil
		}),
		"break": steward.Do[Account](func(a *Account, _ *steward.Context) error {
			a.Owner = string(rune(a.Limits["none"].Percent + []uint8{}[len(a.Owner)]))
			return nil
		}),
		"overdraw": steward.Do[Account](func(a *Account, _ *steward.Context) error {
			return fmt.Errorf("bank: %w", steward.Conflict("too poor"))
		}),
		"fail": steward.Do[Account](func(*Account, *steward.Context) error { return errors.New("no bank") }),
	},
	Get: func(a *Account, ctx *steward.Context) error {
		ctx.SetHeader("X-Seen", "yes")
		ctx.Reply(map[string]string{"owner": a.Owner})
		return nil
	},
	Replies: map[string]func(*Account, *steward.Context, *steward.Answer) error{
		"audited": func(a *Account, _ *steward.Context, answer *steward.Answer) error {
			note := fmt.Sprintf("audit %d", answer.Status)
			a.Note = &note
			return nil
		},
	},
	Maintenance: steward.Every(30*time.Second, func(*Account, *steward.Context) error { return nil }),
	Migrate: map[uint32]steward.Migration[Account]{1: steward.From(func(old AccountV1) (Account, error) {
		return Account{Owner: old.Owner, Balance: old.Cents / 100, Currency: "EUR"}, nil
	})},
	Merge: func(ours, theirs Account) (Account, error) {
		if ours.Balance >= theirs.Balance {
			return ours, nil
		}
		return theirs, nil
	},
})

func TestFieldsHaveTheirNamesInNoOtherCase(t *testing.T) {
	host, link := account(t)
	body := `{"kind": "deposit", "AMOUNT": "much", "amount": 2, "KIND": "close", "documentVersion": 0}`
	if paid := host.Patch(link, body); paid.Status != 200 {
		t.Errorf("found %d %s", paid.Status, paid.Body)
	}
	body = `{"owner": "bob", "limits": {"card": {"percent": 5, "Daily": false}}, "Currency": "USD", "DOCUMENTEXPIRATIONTIMEMICROS": 5}`
	link = host.Post("/bank/accounts", body).Link()
	if text := string(host.Versions(link)[0].Body); !strings.Contains(text, `"daily":true`) || !strings.Contains(text, `"currency":"EUR"`) {
		t.Errorf("found %s", text)
	}
	host.Advance(time.Second)
	if found := host.Get(link); found.Status != 200 {
		t.Errorf("it has expired: %d %s", found.Status, found.Body)
	}
}

// Seat is one that is taken once.
type Seat struct {
	Row     int64 `json:"row"`
	Changes int64 `json:"changes" steward:"default"`
}

func TestAPutIsDecidedOnByCreateOrByNobody(t *testing.T) {
	create := func(s *Seat, ctx *steward.Context) error {
		if s.Row == 13 {
			return steward.Invalid("row", "there is no row 13")
		}
		if ctx.Exists() {
			s.Changes = int64(ctx.Version()) + 1
		}
		return nil
	}
	host := mock.Serving(t, steward.New(steward.Service[Seat]{Factory: "/seats", Create: create}))
	seat := host.Post("/seats", `{"row": 1}`).Link()
	host.Put(seat, `{"row": 13}`).IsRefused(400, "/row")
	if replaced := host.Put(seat, `{"row": 2}`); !strings.Contains(string(replaced.Body), `"changes":1`) {
		t.Errorf("found %s", replaced.Body)
	}
	host = mock.Serving(t, steward.New(steward.Service[Seat]{Factory: "/seats", NoPut: true}))
	seat = host.Post("/seats", `{"row": 1}`).Link()
	if refused := host.Put(seat, `{"row": 2}`); refused.Status != 405 {
		t.Errorf("found %d %s", refused.Status, refused.Body)
	}
}

func account(t *testing.T) (*mock.Host, string) {
	host := mock.Serving(t, accounts)
	return host, host.Post("/bank/accounts", `{"owner": "ann"}`).Link()
}

func TestTheDescriptorSaysWhatTheServiceSays(t *testing.T) {
	var found struct {
		Name, DocumentKind        string
		Handlers, Options         []string
		StateVersion              uint32
		ReadsStateVersions        []uint32
		MaintenanceIntervalMicros int64
		StateSchema               map[string]any
		Actions                   map[string]map[string]any
		VersionRetention          uint64
	}
	if err := json.Unmarshal([]byte(accounts.Describe()), &found); err != nil {
		t.Fatal(err)
	}
	if found.Name != "account" || found.DocumentKind != "example:Account" || found.MaintenanceIntervalMicros != 30_000_000 {
		t.Errorf("found %+v", found)
	}
	for _, handler := range []string{"handle-create", "handle-get", "handle-reply", "migrate", "merge"} {
		if !slices.Contains(found.Handlers, handler) {
			t.Errorf("%s is missing in %v", handler, found.Handlers)
		}
	}
	schema, _ := json.Marshal(found.StateSchema)
	for _, part := range []string{
		`"required":["owner"]`, `"currency":{"default":"EUR","enum":["EUR","USD"],"type":"string"}`,
		`"owner":{"description":"Whose it is.","maxLength":8,"minLength":1,"type":"string"}`, `"note":{"type":["string","null"]}`,
		`"percent":{"format":"uint8","maximum":100,"minimum":1,"type":"integer"}`,
	} {
		if !strings.Contains(string(schema), part) {
			t.Errorf("%s is missing in %s", part, schema)
		}
	}
	if len(found.Actions["handle-patch"]) != 5 {
		t.Errorf("found %v", found.Actions)
	}
}

func TestBodiesAreToldApartByTheirKindAndRefusedByTheirField(t *testing.T) {
	host, link := account(t)
	paid := host.Patch(link, `{"kind": "deposit", "amount": 9007199254740993, "documentVersion": 0}`)
	paid.Has("/balance", int64(9007199254740993))
	for body, pointer := range map[string]string{
		`{"kind": "deposit", "documentVersion": 1}`:                     "/amount",
		`{"kind": "deposit", "amount": 1.5, "documentVersion": 1}`:      "/amount",
		`{"kind": "close", "afterSeconds": -1, "documentVersion": 1}`:   "/afterSeconds",
		`{"kind": "close", "afterSeconds": null, "documentVersion": 1}`: "/afterSeconds",
		`{"kind": "rob", "documentVersion": 1}`:                         "/kind",
	} {
		host.Patch(link, body).IsRefused(400, pointer)
	}
	for body, pointer := range map[string]string{
		`{"owner": "bob", "limits": {"card": {"percent": 101}}}`: "/limits/card/percent",
		`{"owner": "bob", "limits": {"a/b": {"percent": 256}}}`:  "/limits/a~1b/percent",
		`{"owner": "robert-the-third"}`:                          "/owner",
		`{"owner": "bob", "currency": "DM"}`:                     "/currency",
		`{"owner": "bob", "since": "yesterday"}`:                 "",
		`[]`:                                                     "",
	} {
		host.Post("/bank/accounts", body).IsRefused(400, pointer)
	}
	host.Patch(link, `{"kind": "deposit", "amount": 1, "documentVersion": 9}`).IsRefused(409, "")
}

func TestDefaultsBelowTheFirstLevelAreSet(t *testing.T) {
	host := mock.Serving(t, accounts)
	made := host.Post("/bank/accounts", `{"owner": "bob", "limits": {"card": {"percent": 5}, "cash": {"percent": 1, "daily": false}}}`)
	made.Has("/limits/card/daily", true).Has("/limits/cash/daily", false).Has("/currency", "EUR")
}

func TestAnAnswerComesBackWithItsTag(t *testing.T) {
	host, link := account(t)
	host.Answering("/bank/audits", func(*steward.Effect) *mock.Response { return mock.Answer(201, nil) })
	host.Patch(link, `{"kind": "deposit", "amount": 5, "documentVersion": 0}`)
	host.Settle()
	host.Versions(link)[2].Has("/note", "audit 201")
	if host.Stat("starts") != 1 {
		t.Errorf("it started %v times", host.Stat("starts"))
	}
}

func TestAPanicIsAProblemWithFileAndLine(t *testing.T) {
	host, link := account(t)
	broken := host.Patch(link, `{"kind": "break", "documentVersion": 0}`).IsRefused(500, "")
	broken.Has("/code", "guest-panic")
	message := fmt.Sprint(broken.Field("/message"))
	if !strings.Contains(message, "index out of range [3] with length 0 at service_test.go:") {
		t.Error(message)
	}
	if host.Log()[0].Level != steward.Error || len(host.Versions(link)) != 1 {
		t.Errorf("logged %v", host.Log())
	}
}

func TestAnErrorIsTheFaultWithinIt(t *testing.T) {
	host, link := account(t)
	host.Patch(link, `{"kind": "overdraw", "documentVersion": 0}`).IsRefused(409, "").Has("/message", "too poor")
	host.Patch(link, `{"kind": "fail", "documentVersion": 0}`).IsRefused(500, "").Has("/message", "no bank")
}

func TestStatesMigrateAndMergeAsTexts(t *testing.T) {
	state, err := accounts.Migrate(`{"owner": "ann", "cents": 1234}`, 1)
	if err != nil || !strings.Contains(state, `"balance":12`) {
		t.Errorf("%s %v", state, err)
	}
	if _, err := accounts.Migrate(`{}`, 7); steward.FaultOf(err).Status != 501 {
		t.Error(err)
	}
	if merged, err := accounts.Merge(`{"owner": "ann", "balance": 1}`, state); err != nil || merged != state {
		t.Errorf("%s %v", merged, err)
	}
}

func TestExpiryEndsADocument(t *testing.T) {
	host, link := account(t)
	host.Patch(link, `{"kind": "close", "afterSeconds": 10, "documentVersion": 0}`)
	host.Advance(9 * time.Second)
	seen := host.Get(link).Has("/owner", "ann")
	if seen.Headers[0] != (steward.Header{Name: "x-seen", Value: "yes"}) {
		t.Errorf("found %v", seen.Headers)
	}
	host.Advance(time.Second)
	if gone := host.Get(link); gone.Status != 404 {
		t.Errorf("it is there: %s", gone.Body)
	}
}

func TestWhatIsNoExpiryRefusesTheCallAndIsNeverTakenForNever(t *testing.T) {
	var expire func(*steward.Context)
	fading := steward.New(steward.Service[struct{}]{
		Name: "fading", Factory: "/fading",
		Patch: steward.Do[struct{}](func(_ *struct{}, ctx *steward.Context) error {
			expire(ctx)
			return nil
		}),
	})
	host := mock.Serving(t, fading)
	link := host.Post("/fading", `{}`).Link()
	for _, moment := range []time.Time{time.UnixMicro(-1), time.Unix(1<<60, 0), time.Unix(-1<<60, 0)} {
		expire = func(ctx *steward.Context) { ctx.ExpireAt(moment) }
		host.Patch(link, `{}`).IsRefused(500, "").Has("/code", "guest-outcome")
	}
	for _, span := range []time.Duration{-1, -time.Hour, math.MinInt64} {
		expire = func(ctx *steward.Context) { ctx.ExpireIn(span) }
		host.Patch(link, `{}`).IsRefused(500, "").Has("/code", "guest-outcome")
	}
	if len(host.Versions(link)) != 1 {
		t.Error("something was kept")
	}
	for _, moment := range []time.Time{{}, time.UnixMicro(math.MaxInt64)} {
		expire = func(ctx *steward.Context) { ctx.ExpireAt(moment) }
		if answer := host.Patch(link, `{}`); answer.Status != 200 {
			t.Errorf("%v: %s", moment, answer.Body)
		}
	}
}

type level struct {
	Degrees int `json:"degrees" steward:"default,max=100"`
}

func TestAStateThatAHandlerSpoilsIsItsOwnFaultUnlessTheClientHasSentTheValue(t *testing.T) {
	spoilt := steward.New(steward.Service[level]{
		Name: "spoilt", Factory: "/spoilt",
		Patch: steward.Kinds[level]{
			"own": steward.Do[level](func(l *level, _ *steward.Context) error { l.Degrees = 101; return nil }),
			"over": steward.With(func(l *level, _ *steward.Context, body struct {
				Degrees int `json:"degrees"`
			}) error {
				l.Degrees = body.Degrees
				return nil
			}),
		},
	})
	host := mock.Serving(t, spoilt)
	link := host.Post("/spoilt", `{}`).Link()
	own := host.Patch(link, `{"kind": "own"}`).IsRefused(500, "")
	own.Has("/code", "guest-outcome").Has("/message", "the service has left a state that does not fit: degrees must be 100 or less, found 101")
	host.Patch(link, `{"kind": "over", "degrees": 102}`).IsRefused(400, "/degrees")
}

func TestAHandlerWithoutAKindTakesWhatNoOtherTakes(t *testing.T) {
	set := func(degrees int) steward.Handler[level] {
		return steward.Do[level](func(l *level, _ *steward.Context) error { l.Degrees = degrees; return nil })
	}
	host := mock.Serving(t, steward.New(steward.Service[level]{
		Name: "rest", Factory: "/rest", Patch: steward.Kinds[level]{"ring": set(90), "": set(7)},
	}))
	link := host.Post("/rest", `{}`).Link()
	for body, degrees := range map[string]int{`{"kind": "ring"}`: 90, `{"kind": "melt"}`: 7, `{"kind": 5}`: 7, `{}`: 7} {
		host.Patch(link, body).Has("/degrees", degrees)
	}
}

func TestAKindOfAnotherTypeIsNotTakenForNone(t *testing.T) {
	host := mock.Serving(t, steward.New(steward.Service[level]{
		Name: "kinds", Factory: "/kinds", Patch: steward.Kinds[level]{
			"ring": steward.Do[level](func(*level, *steward.Context) error { return nil }),
		},
	}))
	link := host.Post("/kinds", `{}`).Link()
	for body, found := range map[string]string{
		`{}`: "no kind", `{"kind": null}`: "no kind", `{"kind": "melt"}`: `the kind "melt"`,
		`{"kind": 7}`: "a number instead of a text", `{"kind": -7}`: "a number instead of a text",
		`{"kind": true}`: "a boolean instead of a text", `{"kind": [1]}`: "a list instead of a text",
		`{"kind": {}}`: "an object instead of a text",
	} {
		host.Patch(link, body).IsRefused(400, "/kind").Has("/message", "kind must be one of ring, found "+found)
	}
}

func TestAStatelessServiceAnswersEveryPathBelowIt(t *testing.T) {
	echo := steward.New(steward.Service[struct{}]{
		Name: "echo", Factory: "/echo", Options: []steward.Option{steward.Stateless},
		Post: steward.Do[struct{}](func(_ *struct{}, ctx *steward.Context) error {
			ctx.Reply(map[string]any{"link": ctx.Link(), "word": ctx.Parameter("word"), "random": ctx.Rand().IntN(1)})
			return nil
		}),
	})
	host := mock.Serving(t, echo)
	host.Post("/echo/a/b?word=hello%20you", `[1]`).Has("/link", "/echo/a/b").Has("/word", "hello you")
	if host.Get("/echo").Status != 405 {
		t.Error("there is no GET")
	}
}

func TestAServiceReadsAndQueriesItsHost(t *testing.T) {
	reader := steward.New(steward.Service[struct{}]{
		Name: "reader", Factory: "/read", Options: []steward.Option{steward.Stateless},
		Get: func(_ *struct{}, ctx *steward.Context) error {
			var seen Account
			if err := ctx.Read("/bank/accounts/a", &seen); err != nil {
				return err
			}
			ctx.Log(steward.Info, "seen", "owner", seen.Owner)
			var task struct {
				Results struct{ DocumentLinks []string }
			}
			query := map[string]any{"querySpec": map[string]any{"query": map[string]any{
				"term": map[string]any{"propertyName": "owner", "matchValue": "a*", "matchType": "WILDCARD"}}}}
			if err := ctx.Query(query, &task); err != nil {
				return err
			}
			ctx.Reply(task.Results.DocumentLinks)
			return nil
		},
	})
	host := mock.Serving(t, reader, accounts)
	host.Get("/read").IsRefused(404, "")
	host.Post("/bank/accounts", `{"documentSelfLink": "a", "owner": "ann"}`)
	host.Get("/read").Has("/0", "/bank/accounts/a")
	if line := host.Log()[0]; line.Message != "seen" || !strings.Contains(line.Fields, `"at":"service_test.go:`) {
		t.Errorf("logged %v", line)
	}
}

const far = int64(4_102_444_800_000_000)

func TestEveryUpdateThatIsAcceptedTakesItsExpiry(t *testing.T) {
	host, owned := account(t)
	host.With(steward.New(steward.Service[level]{Name: "rest", Factory: "/rest", MergePatch: true}))
	note := host.Post("/rest", `{}`).Link()
	with := func(fields string, micros int64) string {
		return fmt.Sprintf(`{%s"documentExpirationTimeMicros": %d}`, fields, micros)
	}
	const expires = "/documentExpirationTimeMicros"
	host.Patch(note, with("", far)).Has(expires, far)
	host.Put(note, with(`"degrees": 1, `, far+1)).Has(expires, far+1)
	deposit := `"kind": "deposit", "amount": 1, "documentVersion": 0, `
	if paid := host.Patch(owned, with(deposit, far)); paid.Status != 200 {
		t.Errorf("found %d %s", paid.Status, paid.Body)
	}
	host.Versions(owned)[1].Has(expires, far)
	// Who does not speak of it leaves it as it is.
	host.Patch(note, `{"degrees": 2}`).Has(expires, far+1)
	for _, wrong := range []string{"-1", "1.5", `"soon"`, "true", "9223372036854775808"} {
		host.Patch(note, `{"documentExpirationTimeMicros": `+wrong+`}`).IsRefused(400, expires)
	}
	host.Get(note).Has(expires, far+1)
	host.Patch(note, with("", 0)).Has(expires, 0)
	// The answer is that of every update, and the document is gone at once.
	host.Patch(note, with("", 1)).Has(expires, 1)
	host.Get(note).IsRefused(404, "")
}

func TestADeleteOfWhatIsNotThereAnswersAnEmptyObject(t *testing.T) {
	host, link := account(t)
	host.Delete(link)
	for _, gone := range []string{link, "/bank/accounts/nobody"} {
		if answer := host.Delete(gone); answer.Status != 200 || string(answer.Body) != "{}" {
			t.Errorf("found %d %s", answer.Status, answer.Body)
		}
	}
}

// plates is a service by hand, whose schema says what types cannot.
type plates struct{ steward.Guest }

func (plates) Describe() string {
	return `{"name": "plate", "version": "1.0.0", "factory": "/plates", "patch": "merge", "handlers": ["handle-post"], "stateSchema": {"properties": {
		"number": {"pattern": "^[A-Z]{2}-[0-9]+$"}, "former": {"items": {"pattern": "^[A-Z]"}}, "odd": {"pattern": "^(?=a)"}}}}`
}

func (plates) Handle(steward.Occasion, string, steward.Request) (steward.Outcome, error) {
	spoiled := `{"number": "spoiled"}`
	return steward.Outcome{Document: &spoiled}, nil
}

func TestAPatternOfTheSchemaIsChecked(t *testing.T) {
	host := mock.Serving(t, plates{})
	host.Post("/plates", `{"number": "none"}`).IsRefused(400, "/number").Has("/code", "validation")
	plate := host.Post("/plates", `{"number": "BE-12", "odd": "b"}`).Link()
	for _, send := range []func(link, body string) *mock.Response{host.Put, host.Patch} {
		send(plate, `{"number": "be-12"}`).IsRefused(400, "/number")
		send(plate, `{"number": "BE-13", "former": ["BE-12", "x"]}`).IsRefused(400, "/former/1")
		send(plate, `{"number": "BE-13"}`).Has("/number", "BE-13")
	}
	host.Post(plate, `{"number": "BE-14"}`).IsRefused(500, "").Has("/code", "guest-outcome")
	host.Get(plate).Has("/number", "BE-13")
}

func TestATagThatSaysNothingIsToldAtOnce(t *testing.T) {
	type Wrong struct {
		Count int `json:"count" steward:"minimum=1"`
	}
	defer func() {
		if told := fmt.Sprint(recover()); !strings.Contains(told, `Wrong.Count has the tag "minimum=1"`) {
			t.Error(told)
		}
	}()
	steward.New(steward.Service[Wrong]{Factory: "/wrong"})
}
