package steward_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"steward"
	"steward/mock"
	"testing"
	"time"
)

// The mock host creates documents anew as the host does: after a deletion by a number or a header, after an expiry at once.

// leaflet remembers at which version it was told to begin, and has another one printed.
type leaflet struct {
	Told uint64 `json:"told" steward:"default"`
}

var leaflets = steward.New(steward.Service[leaflet]{
	Factory: "/leaflets", Options: []steward.Option{steward.IdempotentPost},
	Create: func(l *leaflet, ctx *steward.Context) error {
		l.Told = ctx.Version()
		return nil
	},
	Patch: steward.Do[leaflet](func(_ *leaflet, ctx *steward.Context) error {
		ctx.Create("/leaflets", map[string]any{"documentSelfLink": "a", "documentVersion": 99})
		return nil
	}),
})

const anew = "/leaflets/a"

func createdAt(host *mock.Host, version string) *mock.Response {
	return host.Post("/leaflets", fmt.Sprintf(`{"documentSelfLink": "a", "documentVersion": %s}`, version))
}

func isGone(t *testing.T, host *mock.Host) {
	t.Helper()
	for _, answer := range []*mock.Response{host.Get(anew), host.Patch(anew, `{}`), host.Put(anew, `{}`)} {
		answer.IsRefused(404, "")
	}
}

func isNew(t *testing.T, answer *mock.Response, version uint64) {
	t.Helper()
	if answer.Has("/told", 0).Status != 201 || answer.Version() != version {
		t.Errorf("wanted a new document at version %d: %d %s", version, answer.Status, answer.Body)
	}
}

func isKept(t *testing.T, host *mock.Host, numbers ...uint64) {
	t.Helper()
	var kept []uint64
	for _, version := range host.Versions(anew) {
		kept = append(kept, version.Version())
	}
	if !slices.Equal(kept, numbers) {
		t.Errorf("wanted the versions %v, found %v", numbers, kept)
	}
}

// deletedLeaflet returns a host with a leaflet that was deleted at version 2.
func deletedLeaflet(t *testing.T) *mock.Host {
	host := mock.Serving(t, leaflets)
	createdAt(host, "null")
	host.Put(anew, `{}`).Has("/documentVersion", 1)
	host.Delete(anew).Has("/documentVersion", 2).Has("/documentUpdateAction", "DELETE")
	return host
}

func TestWhatWasDeletedIsCreatedAnewByAHigherVersion(t *testing.T) {
	host := deletedLeaflet(t)
	isGone(t, host)
	for _, low := range []string{"null", "2", "-1"} {
		createdAt(host, low).IsRefused(409, "").Has("/code", "marked-deleted").Has("/message",
			"/leaflets/a was deleted, at version 2: create it anew with documentVersion 3 or higher, or with the header Pragma: xn-force-index-update")
	}
	createdAt(host, `"3"`).IsRefused(400, "/documentVersion")
	isNew(t, createdAt(host, "9"), 3)
	isKept(t, host, 0, 1, 2, 3)
	// It lives, and a POST replaces it.
	createdAt(host, "null").Has("/documentVersion", 4)
}

func TestThePragmaCreatesAnewAndForgetsTheHistory(t *testing.T) {
	host := deletedLeaflet(t)
	with := func(pragma string) *mock.Response {
		return host.Ask(steward.Post, "/leaflets").Header("Pragma", pragma).Body(`{"documentSelfLink": "a"}`).Send()
	}
	with("no-cache").IsRefused(409, "")
	isNew(t, with("no-cache; xn-force-index-update"), 3)
	isKept(t, host, 3)
	host.Delete(anew)
	isNew(t, createdAt(host, "5"), 5)
	isKept(t, host, 3, 4, 5)
}

func TestAnEffectNeedsANumberAsWellAndForgetsTheHistory(t *testing.T) {
	host := deletedLeaflet(t)
	host.Patch(host.Post("/leaflets", `{}`).Link(), `{}`)
	host.Settle()
	host.Sent[0].Response.Has("/documentVersion", 3)
	isKept(t, host, 3)
}

func TestWhatHasExpiredLeavesItsLinkFree(t *testing.T) {
	host := mock.Serving(t, leaflets)
	createdAt(host, "null")
	soon, _ := json.Marshal(map[string]int64{"documentExpirationTimeMicros": host.Now().Add(time.Second).UnixMicro()})
	host.Put(anew, string(soon)).Has("/documentVersion", 1)
	host.Advance(time.Second)
	isGone(t, host)
	isKept(t, host)
	// The expiry was version 2.
	isNew(t, createdAt(host, "null").Has("/documentExpirationTimeMicros", 0), 3)
	isKept(t, host, 3)
}
