package main

import (
	"steward/mock"
	"testing"
	"time"
)

// What the service promises, proven in memory: no host, no ports, a clock of its own.

func TestAPatchAddsAStepOrWhatItSays(t *testing.T) {
	host := mock.Serving(t, service)
	counter := host.Post("/core/my-service", `{"step": 5}`).Link()
	host.Patch(counter, `{}`).Has("/count", 5)
	host.Patch(counter, `{"by": 37}`).Has("/count", 42)
}

func TestAStepOfNothingIsRefusedWithItsField(t *testing.T) {
	host := mock.Serving(t, service)
	host.Post("/core/my-service", `{"step": 0}`).IsRefused(400, "/step")
	host.Patch(host.Post("/core/my-service", `{}`).Link(), `{"by": "much"}`).IsRefused(400, "/by")
}

func TestACounterComesToRest(t *testing.T) {
	host := mock.Serving(t, service)
	counter := host.Post("/core/my-service", `{"count": 2}`).Link()
	host.Advance(10 * time.Hour)
	host.Get(counter).Has("/count", 0)
}
