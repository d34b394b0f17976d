package main

import (
	"steward/mock"
	"testing"
	"time"
)

// What a counter promises, proven in memory: no cluster, no ports, a clock of its own.

func TestAPatchAddsAStepOrWhatItSays(t *testing.T) {
	host := mock.Serving(t, service)
	counter := host.Post("/core/counters", `{"step": 5}`).Link()
	host.Patch(counter, `{}`).Has("/count", 5)
	host.Patch(counter, `{"by": 37}`).Has("/documentVersion", 2).Has("/count", 42)
}

func TestAStepOfNothingIsRefusedWithItsField(t *testing.T) {
	host := mock.Serving(t, service)
	refused := host.Post("/core/counters", `{"step": 0}`).IsRefused(400, "/step")
	refused.Has("/message", "step must be 1 or more, found 0")
	if links := host.Links(); links != nil {
		t.Errorf("there are documents: %v", links)
	}
	counter := host.Post("/core/counters", `{}`).Link()
	host.Put(counter, `{"count": -1}`).IsRefused(400, "/count")
	host.Patch(counter, `{"by": "much"}`).IsRefused(400, "/by")
	if versions := host.Versions(counter); len(versions) != 1 {
		t.Errorf("there are %d versions", len(versions))
	}
}

func TestACounterComesToRest(t *testing.T) {
	host := mock.Serving(t, service)
	counter := host.Post("/core/counters", `{"count": 2}`).Link()
	host.Advance(10 * time.Hour)
	// Hours in which nothing changed leave no versions behind.
	versions := host.Versions(counter)
	if len(versions) != 3 {
		t.Fatalf("there are %d versions", len(versions))
	}
	versions[2].Has("/count", 0)
}
