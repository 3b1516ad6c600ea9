package filter

import (
	"slices"

	"cel.dev/cel-go/common/types"
)

// node is a place in events, found from the root by the names on its path, with the
// entries that want one of some values there.
type node struct {
	fields map[string]*node
	values map[any][]*Entry // by scalar
}

// collect appends the entries whose hooks are in v, some perhaps more than once.
func (n *node) collect(v any, found []*Entry) []*Entry {
	if len(n.values) > 0 {
		if key := scalar(v); key != nil {
			found = append(found, n.values[key]...)
		}
	}
	if len(n.fields) == 0 {
		return found
	}
	switch object := v.(type) {
	case map[string]any:
		return descend(n.fields, object, found)
	case map[string]string:
		return descend(n.fields, object, found)
	}
	return found
}

// descend goes through the smaller side, so that neither an object nor an index of
// ten thousand names is slow.
func descend[V any](fields map[string]*node, object map[string]V, found []*Entry) []*Entry {
	if len(object) < len(fields) {
		for name, v := range object {
			if child := fields[name]; child != nil {
				found = child.collect(v, found)
			}
		}
		return found
	}
	for name, child := range fields {
		if v, ok := object[name]; ok {
			found = child.collect(v, found)
		}
	}
	return found
}

// crowd is about how often a choice makes filters be evaluated in vain: as many as
// there are already at its hooks, and true, false and null are in many events.
func (n *node) crowd(choice []hook) int {
	total := 0
	for _, h := range choice {
		weight := 1
		switch h.value.(type) {
		case types.Bool, types.Null:
			weight = 10
		}
		total += weight * (1 + len(n.at(h.path).values[h.value]))
	}
	return total
}

// at is the node at a path, a new one where there is none.
func (n *node) at(path []string) *node {
	for _, name := range path {
		child := n.fields[name]
		if child == nil {
			return &node{}
		}
		n = child
	}
	return n
}

func (n *node) add(path []string, value any, e *Entry) {
	for _, name := range path {
		if n.fields == nil {
			n.fields = make(map[string]*node)
		}
		if n.fields[name] == nil {
			n.fields[name] = &node{}
		}
		n = n.fields[name]
	}
	if n.values == nil {
		n.values = make(map[any][]*Entry)
	}
	list := n.values[value]
	if len(list) == 0 || list[len(list)-1] != e { // e.g. data.a in [1, 1.0]
		n.values[value] = append(list, e)
	}
}

// remove takes an entry out, and what it leaves empty.
func (n *node) remove(path []string, value any, e *Entry) {
	if len(path) > 0 {
		child := n.fields[path[0]]
		if child == nil { // the hook was there twice
			return
		}
		child.remove(path[1:], value, e)
		if len(child.fields) == 0 && len(child.values) == 0 {
			delete(n.fields, path[0])
		}
		return
	}
	list := n.values[value]
	if i := slices.Index(list, e); i >= 0 {
		list[i] = list[len(list)-1]
		list[len(list)-1] = nil
		n.values[value] = list[:len(list)-1]
	}
	if len(n.values[value]) == 0 {
		delete(n.values, value)
	}
}
