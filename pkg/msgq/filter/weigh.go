package filter

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// weigh counts the values in v, long texts as several, and stops at most.
func weigh(v any, most uint64) uint64 {
	switch v := v.(type) {
	case string:
		return min(1+uint64(len(v))/bytesPerUnit, most)
	case types.String:
		return min(1+textUnits(v), most)
	case types.Bytes:
		return min(1+textUnits(v), most)
	case []any:
		return weighList(v, most)
	case []ref.Val:
		return weighList(v, most)
	case map[string]any:
		return weighMap(v, most)
	case map[ref.Val]ref.Val:
		return weighMap(v, most)
	case map[string]string:
		return weighMap(v, most)
	case traits.Lister:
		return weighValue(v, size(v), most)
	case traits.Mapper:
		return weighValue(v, size(v), most)
	}
	return min(1, most)
}

// weighValue looks at what a CEL list or map is made of.
func weighValue(v ref.Val, items, most uint64) uint64 {
	switch native := v.Value().(type) {
	case []any, []ref.Val, map[string]any, map[ref.Val]ref.Val, map[string]string:
		return weigh(native, most)
	}
	return min(1+items, most)
}

func weighList[T any](list []T, most uint64) uint64 {
	total := uint64(1)
	for _, v := range list {
		if total >= most {
			break
		}
		total += weigh(v, most-total)
	}
	return min(total, most)
}

func weighMap[K comparable, V any](object map[K]V, most uint64) uint64 {
	total := uint64(1)
	for name, v := range object {
		if total >= most {
			break
		}
		total += 1 + weigh(name, most) + weigh(v, most)
	}
	return min(total, most)
}
