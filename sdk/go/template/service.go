// A counter that comes to rest by itself, one step an hour.
package main

import (
	"steward"
	"time"
)

type Counter struct {
	Count uint64 `json:"count" steward:"default"`
	Step  uint64 `json:"step" steward:"default=1,min=1"`
}

type Add struct {
	By *uint64 `json:"by" steward:"min=1"`
}

var service = steward.Serve(steward.Service[Counter]{
	Name:    "my-service",
	Factory: "/core/my-service",
	Patch: steward.With(func(c *Counter, ctx *steward.Context, add Add) error {
		c.Count += steward.Or(add.By, c.Step)
		return nil
	}),
	Maintenance: steward.Every(time.Hour, func(c *Counter, ctx *steward.Context) error {
		c.Count -= min(c.Count, c.Step)
		return nil
	}),
})

func main() {}
