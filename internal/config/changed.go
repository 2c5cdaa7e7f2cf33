package config

import "reflect"

// Changed are the keys of the settings that two configurations have different
// values for, in the order of the table.
func Changed(before, after *Config) []string {
	var keys []string
	old := before.Settings()
	for i, s := range after.Settings() {
		if !reflect.DeepEqual(old[i].Get(), s.Get()) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}
