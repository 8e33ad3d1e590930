package admin

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

//go:embed examples.json
var exampleText []byte

// object is one of JSON.
type object = map[string]any

// describe makes the OpenAPI description of routes, with what their examples are answered.
func describe(routes []operation) []byte {
	examples := map[string]any{}
	if err := json.Unmarshal(exampleText, &examples); err != nil {
		panic("admin: examples.json: " + err.Error())
	}
	paths, types := object{}, schemas{}
	for i := range routes {
		o := &routes[i]
		path, ok := paths[o.path].(object)
		if !ok {
			path = object{}
			paths[o.path] = path
		}
		path[strings.ToLower(o.method)] = types.operation(o, examples[o.id()])
	}
	text, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title":       "cashew",
			"version":     "1",
			"description": "Looks at and steers a running cashew. Numbers are counted since the start unless said otherwise. Examples leave out counters that are zero.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []object{{"url": "/"}},
		"security": []object{{}, {"token": []string{}}},
		"paths":    paths,
		"components": object{
			"schemas": types,
			"securitySchemes": object{
				"token": object{"type": "http", "scheme": "bearer", "description": "Where admin_token is set."},
			},
		},
	}, "", "  ")
	if err != nil {
		panic("admin: " + err.Error())
	}
	return append(text, '\n')
}

// schemas are those of the API's types, by name.
type schemas object

func (s schemas) operation(o *operation, example any) object {
	op := object{"summary": o.what, "operationId": operationID(o), "responses": s.responses(o, example)}
	if o.more != "" {
		op["description"] = o.more
	}
	if o.path == pathHealth || o.path == pathReady {
		op["security"] = []object{}
	}
	var params []object
	for segment := range strings.SplitSeq(o.path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			params = append(params, object{
				"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"},
			})
		}
	}
	for _, p := range o.params {
		schema := object{"type": p.kind}
		if p.repeats {
			schema = object{"type": "array", "items": schema}
		}
		params = append(params, object{"name": p.name, "in": "query", "required": p.required, "description": p.what, "schema": schema})
	}
	if params != nil {
		op["parameters"] = params
	}
	if o.body != nil {
		content := object{"schema": s.of(reflect.TypeOf(o.body))}
		if o.exampleBody != nil {
			content["example"] = o.exampleBody
		}
		op["requestBody"] = object{"content": object{"application/json": content}}
	}
	return op
}

// operationID is a name for programs that are made of the description.
func operationID(o *operation) string {
	id := strings.ToLower(o.method)
	for _, word := range strings.FieldsFunc(o.path, func(r rune) bool { return strings.ContainsRune("/{}-._", r) }) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

func (s schemas) responses(o *operation, example any) object {
	failed := func(what string) object {
		return object{"description": what, "content": object{"application/json": object{"schema": s.of(reflect.TypeFor[Error]())}}}
	}
	content := object{"schema": object{"type": "string"}}
	media := o.media
	switch {
	case o.answers != nil:
		media, content["schema"] = "application/json", s.of(reflect.TypeOf(o.answers))
	case media == "application/json":
		content["schema"] = object{"type": "object"}
	}
	if example != nil {
		content["example"] = example
	}
	all := object{
		strconv.Itoa(o.success()): object{"description": http.StatusText(o.success()), "content": object{media: content}},
		"default":                 failed("it was not done, and the error says why"),
	}
	for status, what := range o.fails {
		all[strconv.Itoa(status)] = failed(what)
	}
	return all
}

// of is the schema of a type's JSON. Structs are described once.
func (s schemas) of(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	}
	if t == reflect.TypeFor[time.Time]() {
		return object{"type": "string", "format": "date-time"}
	}
	if _, ok := s[t.Name()]; !ok {
		s[t.Name()] = nil // it is being described
		s[t.Name()] = s.fields(t)
	}
	return object{"$ref": "#/components/schemas/" + t.Name()}
}

// fields describes a struct. What is left out when it is empty is not required.
func (s schemas) fields(t reflect.Type) object {
	properties, required := object{}, []string{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = s.of(f.Type)
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	o := object{"type": "object", "properties": properties}
	if !requests[t] {
		o["required"] = required
	}
	return o
}

// requests are the types of bodies, in which what is left out is zero.
var requests = map[reflect.Type]bool{reflect.TypeFor[ReloadRequest](): true, reflect.TypeFor[Pause](): true}
