package reader

import (
	"bytes"
	"image"
	"image/color"
	stddraw "image/draw"
	"image/jpeg"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The screen, in pixels.
const (
	width, height = 1280, 800
	bottom        = height - 24
	bar           = 56 // the address at the top
	margin        = 48
	column        = 180 // the names of facts
)

var (
	paper = image.NewUniform(color.White)
	shade = image.NewUniform(color.RGBA{0xec, 0xef, 0xf1, 0xff})
	faint = image.NewUniform(color.RGBA{0x60, 0x6c, 0x76, 0xff})
	ink   = image.NewUniform(color.RGBA{0x1c, 0x22, 0x28, 0xff})
)

// fonts parses the fonts once; faces of them are for one drawing each.
var fonts = sync.OnceValues(func() (parsed struct{ regular, bold *opentype.Font }, err error) {
	if parsed.regular, err = opentype.Parse(goregular.TTF); err != nil {
		return parsed, err
	}
	parsed.bold, err = opentype.Parse(gobold.TTF)
	return parsed, err
})

// draw gives a picture of what the reader sees, as a JPEG.
func draw(s *sight) ([]byte, error) {
	fonts, err := fonts()
	if err != nil {
		return nil, err
	}
	heading, err := newFace(fonts.bold, 30)
	if err != nil {
		return nil, err
	}
	plain, err := newFace(fonts.regular, 18)
	if err != nil {
		return nil, err
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	stddraw.Draw(img, img.Bounds(), paper, image.Point{}, stddraw.Src)
	stddraw.Draw(img, image.Rect(0, 0, width, bar), shade, image.Point{}, stddraw.Src)
	p := pen{img: img, y: 15}
	p.write(plain, faint, margin, s.url, 1)
	p.y = bar + 28
	p.write(heading, ink, margin, s.title, 2)
	p.y += 16
	for _, r := range s.rows {
		top := p.y
		p.write(plain, faint, margin, r.name, 1)
		p.y = top
		p.write(plain, ink, margin+column, r.value, 2)
	}
	if len(s.rows) > 0 && s.text != "" {
		p.y += 16
		stddraw.Draw(img, image.Rect(margin, p.y, width-margin, p.y+1), shade, image.Point{}, stddraw.Src)
		p.y += 16
	}
	p.write(plain, faint, margin, s.text, height)
	var b bytes.Buffer
	err = jpeg.Encode(&b, img, &jpeg.Options{Quality: 85})
	return b.Bytes(), err
}

// face is a font of one size. It is for one goroutine.
type face struct {
	font.Face
	height int // of a line
}

func newFace(f *opentype.Font, size float64) (face, error) {
	made, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	return face{made, int(size * 1.5)}, err
}

// fits gives how much of a text is at most so wide, in bytes.
func (f face) fits(text string, most fixed.Int26_6) int {
	var wide fixed.Int26_6
	for i, r := range text {
		advance, _ := f.GlyphAdvance(r)
		if wide += advance; wide > most {
			return i
		}
	}
	return len(text)
}

// pen writes down the screen.
type pen struct {
	img *image.RGBA
	y   int // where the next line begins
}

// write writes a text from x to the right margin, in so many lines at most and
// as far as the screen goes. What does not fit ends in an ellipsis.
func (p *pen) write(f face, c image.Image, x int, text string, most int) {
	text = clean(text)
	room := fixed.I(width - margin - x)
	for ; text != "" && most > 0 && p.y+f.height <= bottom; most-- {
		n := f.fits(text, room)
		line := text[:n]
		switch {
		case n == len(text):
		case most == 1 || p.y+2*f.height > bottom:
			line = line[:f.fits(line, room-fixed.I(f.height))] + "…"
		default:
			// A word that is wider than the line is cut where the line ends.
			if space := strings.LastIndexByte(text[:n+1], ' '); space > 0 {
				line = text[:space]
			}
		}
		text = strings.TrimSpace(strings.TrimPrefix(text, line))
		d := font.Drawer{Dst: p.img, Src: c, Face: f, Dot: fixed.P(x, p.y+f.Metrics().Ascent.Ceil())}
		d.DrawString(line)
		p.y += f.height
	}
}
