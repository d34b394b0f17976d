package steward

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Describe returns the descriptor: what the service says about itself.
func (g *guest[S]) Describe() string {
	s := &g.service
	fields := map[string]any{"factory": s.Factory, "handlers": g.handlers()}
	set := func(name string, value any, given bool) {
		if given {
			fields[name] = value
		}
	}
	name := s.Name
	if name == "" {
		name = kebab(reflect.TypeFor[S]().Name())
	}
	version := s.Version
	if version == "" {
		version = "0.1.0"
	}
	set("name", name, true)
	set("version", version, true)
	set("docs", s.Docs, s.Docs != "")
	set("documentKind", s.Kind, s.Kind != "")
	options := s.Options
	if len(options) == 0 {
		options = []Option{Persistence, Replication, OwnerSelection}
	}
	if s.Maintenance.act != nil {
		options = append(slices.Clone(options), "PERIODIC_MAINTENANCE")
		fields["maintenanceIntervalMicros"] = s.Maintenance.interval.Microseconds()
	}
	set("options", options, true)
	set("stateVersion", max(s.StateVersion, 1), true)
	set("readsStateVersions", readable(s.Migrate), len(s.Migrate) > 0)
	set("versionRetention", s.Retention, s.Retention > 0)
	set("task", true, s.Task)
	set("start", "eager", s.Eager)
	set("patch", "merge", s.MergePatch)
	set("put", "none", s.NoPut)
	set("index", s.Index, s.Index != nil)
	set("capabilities", map[string]any{"outbound": s.Outbound}, s.Outbound != nil)
	set("limits", s.Limits, s.Limits != Limits{})
	set("isolation", "per-call", s.PerCall)
	set("stateSchema", g.shape.schema(), !g.has(Stateless))
	set("actions", g.actions(), true)
	// Everything in it can be written: texts, numbers and lists of them.
	text, _ := json.Marshal(fields)
	return string(text)
}

func (g *guest[S]) handlers() []string {
	occasions := []Occasion{OnCreate, OnStart, OnStop, OnGet, OnPost, OnPut, OnPatch, OnDelete, OnMaintenance}
	listed := []string{}
	for _, occasion := range occasions {
		if _, ok := g.handler(occasion); ok {
			listed = append(listed, string(occasion))
		}
	}
	for name, given := range map[string]bool{
		"handle-reply": len(g.service.Replies) > 0, "migrate": len(g.service.Migrate) > 0, "merge": g.service.Merge != nil,
	} {
		if given {
			listed = append(listed, name)
		}
	}
	slices.Sort(listed)
	return listed
}

// actions returns the schemas of bodies, by handler and kind.
func (g *guest[S]) actions() map[string]map[string]any {
	actions := map[string]map[string]any{}
	for occasion, handler := range map[Occasion]Handler[S]{
		OnPost: g.service.Post, OnPut: g.service.Put, OnPatch: g.service.Patch,
	} {
		if handler == nil {
			continue
		}
		for kind, shape := range handler.bodies() {
			if actions[string(occasion)] == nil {
				actions[string(occasion)] = map[string]any{}
			}
			actions[string(occasion)][kind] = shape.schema()
		}
	}
	return actions
}

func readable[S any](migrations map[uint32]Migration[S]) []uint32 {
	versions := make([]uint32, 0, len(migrations))
	for version := range migrations {
		versions = append(versions, version)
	}
	slices.Sort(versions)
	return versions
}

// kebab returns a name of a type as names of services are written.
func kebab(name string) string {
	var text strings.Builder
	for i, letter := range name {
		if unicode.IsUpper(letter) && i > 0 {
			text.WriteByte('-')
		}
		text.WriteRune(unicode.ToLower(letter))
	}
	return text.String()
}
