package mock

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"steward"
	"strings"
)

// Queries over the documents of the mock host: the part of POST /core/query-tasks that services use in effects.
//
// Known are terms (TERM, PREFIX, WILDCARD) and boolean clauses, and the options COUNT and EXPAND_CONTENT. Ranges, sorting, paging and
// links are refused by name: test those against a real host.

type clause struct {
	Occurance      string
	BooleanClauses []clause
	Term           *struct {
		PropertyName, MatchType string
		MatchValue              any
		Range                   any
	}
}

// query returns the finished task.
func (w *world) query(spec []byte) ([]byte, error) {
	var task struct {
		QuerySpec struct {
			Options []string
			Query   clause
		}
	}
	if err := json.Unmarshal(spec, &task); err != nil {
		return nil, steward.Refused(400, "malformed", err.Error())
	}
	options := task.QuerySpec.Options
	for _, option := range options {
		if option != "COUNT" && option != "EXPAND_CONTENT" {
			return nil, steward.Invalid("/querySpec/options", "the mock host does not know the option %s", option)
		}
	}
	links, documents := []string{}, map[string]json.RawMessage{}
	for _, link := range w.alive() {
		document, err := w.full(link, w.documents[link].version())
		if err != nil {
			return nil, err
		}
		met, err := matches(&task.QuerySpec.Query, tree(document))
		if err != nil {
			return nil, err
		}
		if met {
			links, documents[link] = append(links, link), document
		}
	}
	results := map[string]any{"documentCount": len(links)}
	if !slices.Contains(options, "COUNT") {
		results["documentLinks"] = links
	}
	if slices.Contains(options, "EXPAND_CONTENT") {
		results["documents"] = documents
	}
	finished, _ := tree(spec).(map[string]any)
	finished["taskInfo"] = map[string]any{"stage": "FINISHED", "isDirect": true, "durationMicros": 0}
	finished["results"] = results
	return json.Marshal(finished)
}

func matches(query *clause, document any) (bool, error) {
	if len(query.BooleanClauses) == 0 {
		return matchesTerm(query, document)
	}
	optional, optionalMet := false, false
	for i := range query.BooleanClauses {
		inside := &query.BooleanClauses[i]
		met, err := matches(inside, document)
		if err != nil {
			return false, err
		}
		switch inside.Occurance {
		case "", "MUST_OCCUR":
			if !met {
				return false, nil
			}
		case "MUST_NOT_OCCUR":
			if met {
				return false, nil
			}
		case "SHOULD_OCCUR":
			optional, optionalMet = true, optionalMet || met
		}
	}
	return !optional || optionalMet, nil
}

func matchesTerm(query *clause, document any) (bool, error) {
	term := query.Term
	if term == nil || term.PropertyName == "" {
		return false, steward.Invalid("/querySpec/query/term/propertyName", "a term needs a propertyName")
	}
	if term.Range != nil {
		return false, steward.Invalid("/querySpec/query/term/range", "the mock host does not know ranges")
	}
	value := document
	for _, segment := range strings.Split(term.PropertyName, ".") {
		fields, _ := value.(map[string]any)
		value = fields[segment]
	}
	candidates, isList := value.([]any)
	if !isList && value != nil {
		candidates = []any{value}
	}
	for _, candidate := range candidates {
		met, err := fits(term.MatchType, fmt.Sprint(candidate), fmt.Sprint(term.MatchValue))
		if met || err != nil {
			return met, err
		}
	}
	return false, nil
}

func fits(matchType, candidate, wanted string) (bool, error) {
	switch matchType {
	case "", "TERM":
		return candidate == wanted, nil
	case "PREFIX":
		return strings.HasPrefix(candidate, wanted), nil
	case "WILDCARD":
		// A star stands for any text, slashes as well, which patterns of paths would stop at.
		plain := strings.NewReplacer("/", "\x00", "[", "\x01", "?", "\x02", "\\", "\x03")
		return path.Match(plain.Replace(wanted), plain.Replace(candidate))
	}
	return false, steward.Invalid("/querySpec/query/term/matchType", "the mock host does not know %s", matchType)
}
