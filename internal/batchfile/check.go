package batchfile

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"strings"

	"github.com/errand-dev/errand/workflows"
)

// MostProblems bounds how many problems are kept of a file.
const MostProblems = 50

// Problems are all that is wrong with a file.
type Problems struct {
	First []error // in the order of the file, MostProblems at most
	Count int
}

func (p *Problems) Error() string {
	return fmt.Sprintf("%d problems, the first: %s", p.Count, p.First[0])
}

func (p *Problems) add(err error) {
	p.Count++
	if len(p.First) < MostProblems {
		p.First = append(p.First, err)
	}
}

// Checked is what a file without problems comes to.
type Checked struct {
	Total int
	// Digest stands for all items, as they are rendered, in their order, and for
	// what was given to Check: the same for the same batch, else another.
	Digest string
}

// Check reads the whole file, renders each item and has it validated. All that
// is wrong comes as one [*Problems]; any other error is not the file's. The keys
// are all that it keeps in memory.
func (f *File) Check(p *Plan, common any, validate func(workflows.BatchItem) error) (Checked, error) {
	sum, err := newDigest(common)
	if err != nil {
		return Checked{}, err
	}
	problems := &Problems{}
	seen := map[[16]byte]int32{} // the line of each task's name
	total := 0
	for item, err := range f.Items(p) {
		if err == nil {
			err = validate(item.BatchItem)
		}
		wrong := false
		for _, err := range []error{err, p.unique(seen, item)} { // an item may be wrong in both ways
			if err == nil {
				continue
			}
			if _, placed := errors.AsType[*LineError](err); !placed && item.Line > 0 {
				err = &LineError{item.Line, err}
			}
			problems.add(err)
			wrong = true
		}
		if wrong {
			continue
		}
		total++
		if err := sum.add(item.BatchItem); err != nil {
			return Checked{}, err
		}
	}
	if total == 0 && problems.Count == 0 {
		problems.add(errors.New("the file has no items"))
	}
	if problems.Count > 0 {
		return Checked{}, problems
	}
	return Checked{Total: total, Digest: sum.String()}, nil
}

// unique refuses an item whose task would be that of another.
func (p *Plan) unique(seen map[[16]byte]int32, item Item) error {
	if item.Name == "" { // its key is not known
		return nil
	}
	name := sha256.Sum256([]byte(item.Name))
	short := [16]byte(name[:16])
	before, twice := seen[short]
	switch {
	case twice && p.key == "":
		return fmt.Errorf("it is the same as line %d: leave one out, or tell them apart with --key", before)
	case twice:
		return fmt.Errorf("the key %q is that of line %d already", item.Key, before)
	}
	seen[short] = int32(item.Line)
	return nil
}

// Item is an item and the line where it begins.
type Item struct {
	workflows.BatchItem
	Line int
}

// Items reads the file and renders each item. Errors are those of Records, and
// of rendering, with the line that they are of.
func (f *File) Items(p *Plan) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		index := 0
		for record, err := range f.Records() {
			item := Item{Line: record.Line}
			if err == nil {
				item.BatchItem, err = p.Render(record)
			}
			if err == nil {
				item.Index = index
				index++
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// digest adds up what a batch is made of.
type digest struct {
	hash    hash.Hash
	encoder *json.Encoder
}

func newDigest(common any) (*digest, error) {
	d := &digest{hash: sha256.New()}
	d.encoder = json.NewEncoder(d.hash)
	return d, d.encoder.Encode(common)
}

// Write hands each item to write, and fails if they are not those that were
// checked.
func (f *File) Write(p *Plan, common any, checked Checked, write func(workflows.BatchItem) error) error {
	sum, err := newDigest(common)
	if err != nil {
		return err
	}
	for item, err := range f.Items(p) {
		if err != nil {
			return errChanged
		}
		if err := sum.add(item.BatchItem); err != nil {
			return err
		}
		if err := write(item.BatchItem); err != nil {
			return err
		}
	}
	if sum.String() != checked.Digest {
		return errChanged
	}
	return nil
}

var errChanged = errors.New("the file was changed while it was read: try again")

func (d *digest) add(item workflows.BatchItem) error { return d.encoder.Encode(item) }

// String is the digest as the store's places and a batch's id may have it.
func (d *digest) String() string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(d.hash.Sum(nil)[:15]))
}
