package config

import "regexp"

// What is secret may stand in the middle of what must be shown: in the text of
// a problem, or in a line of the file, where JSON may escape any character.
var (
	// userInfo is where a URL has its password. Up to the last @ rather than the
	// first /, for a password with a slash in it makes a bad URL.
	userInfo = regexp.MustCompile(`(?:\\?/|\\u002[fF]){2}[^"\n]*(?:@|\\u0040)`)
	// query is where the path of a health check may have a token. Behind a blank
	// it is the end of somebody's question.
	query = regexp.MustCompile(`(?:\?|\\u003[fF])[^"\s]+`)
)

// redact leaves the user info of URLs out.
func redact(text string) string { return userInfo.ReplaceAllString(text, "//***@") }

// hideQuery leaves queries out.
func hideQuery(text string) string { return query.ReplaceAllString(text, "?***") }
