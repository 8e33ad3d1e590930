package main

import (
	"fmt"
	"strings"
)

// option is one flag of a command line in the style of getopt_long.
type option struct {
	short byte
	long  string
	// missing ends the message "option -x requires ..." for a flag that takes an argument; "" is a
	// flag that takes none.
	missing string
	value   string // what the argument is called
	help    string
}

// given is a flag as it occurred.
type given struct {
	short byte
	arg   string
}

// getopt reads args by the rules of getopt_long(3): short flags may be bundled and have their
// argument attached or as the next word; long ones have it after "=" or as the next word, and may be
// cut to an unambiguous beginning; "--" ends the flags; other words may stand anywhere. Each flag is
// handed to use as it is met, and the first error ends it all, so that of several errors the leftmost
// counts.
func getopt(args []string, table []option, use func(given) error) error {
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		var err error
		switch {
		case word == "--":
			return nil
		case strings.HasPrefix(word, "--"):
			args, err = longOption(word[2:], args, table, use)
		case len(word) > 1 && word[0] == '-':
			args, err = shortOptions(word[1:], args, table, use)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shortOptions reads a bundle without its dash and returns the words that are left.
func shortOptions(bundle string, args []string, table []option, use func(given) error) ([]string, error) {
	for bundle != "" {
		o := byShort(table, bundle[0])
		if o == nil {
			return nil, fmt.Errorf("invalid option -- '%c'", bundle[0])
		}
		bundle = bundle[1:]
		g := given{short: o.short}
		if o.missing != "" {
			switch {
			case bundle != "":
				g.arg, bundle = bundle, ""
			case len(args) > 0:
				g.arg, args = args[0], args[1:]
			default:
				return nil, o.lacks()
			}
		}
		if err := use(g); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// longOption reads one long flag without its dashes and returns the words that are left.
func longOption(text string, args []string, table []option, use func(given) error) ([]string, error) {
	name, arg, attached := strings.Cut(text, "=")
	o, err := byLong(table, name)
	if err != nil {
		return nil, err
	}
	switch {
	case o.missing == "" && attached:
		return nil, fmt.Errorf("option --%s takes no argument", o.long)
	case o.missing != "" && !attached && len(args) == 0:
		return nil, o.lacks()
	case o.missing != "" && !attached:
		arg, args = args[0], args[1:]
	}
	return args, use(given{o.short, arg})
}

func byShort(table []option, short byte) *option {
	for i := range table {
		if table[i].short == short {
			return &table[i]
		}
	}
	return nil
}

// byLong finds a flag by its name or the beginning of it, if no other begins so.
func byLong(table []option, name string) (*option, error) {
	var found []*option
	for i := range table {
		if table[i].long == name {
			return &table[i], nil
		}
		if strings.HasPrefix(table[i].long, name) {
			found = append(found, &table[i])
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("invalid option -- '%s'", name)
	case 1:
		return found[0], nil
	}
	candidates := make([]string, len(found))
	for i, o := range found {
		candidates[i] = "--" + o.long
	}
	return nil, fmt.Errorf("invalid option -- '%s' could be %s", name, strings.Join(candidates, ", "))
}

// lacks is the error of a flag without its argument.
func (o *option) lacks() error {
	return fmt.Errorf("option -%c requires %s", o.short, o.missing)
}
