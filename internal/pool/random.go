package pool

// random draws by weight, and remembers nothing: of n picks a backend with the
// part p of all weights gets n*p, give or take the square root of n*p*(1-p).
type random struct{ draw }

func newRandom(c candidates) policy { return &random{newDraw(c.weights)} }

func (r *random) pick(Key) int { return r.one() }
