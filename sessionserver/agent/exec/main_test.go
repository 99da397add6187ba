//go:build unix

package exec_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	ossignal "os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("ERRAND_AGENT") != "" {
		program(os.Args[1:])
		os.Exit(0)
	}
	// The race detector keeps a program for a second after its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// program is the agent that the tests run: this very binary. It prints the
// lines of a message as they are, and does what a line that begins with "!"
// says. Its arguments tell how it behaves otherwise.
func program(args []string) {
	var traits string
	if len(args) > 0 {
		traits = args[0]
	}
	is := func(trait string) bool { return strings.Contains(traits, trait) }
	switch {
	case is("grandchild"):
		ossignal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
		fmt.Fprintln(os.Stderr, "ready")
		select {}
	case is("blind"):
		fmt.Println(`{"type":"thought","text":"not listening"}`)
		select {}
	}
	if is("hog") {
		act("!hog 300000000")
	}
	if is("stillborn") {
		fmt.Fprintln(os.Stderr, "no browser here")
		os.Exit(3)
	}
	// What others say when they are started, a shy program says at its first
	// message and a lazy one when there is a file "go".
	greet := func(withState bool) {
		switch {
		case withState && is("forgetful"):
			fmt.Println(`{"type":"ready","cannot_restore":"the state is of another version"}`)
		case withState && is("fragile"):
			panic("bad state")
		case is("screen"):
			fmt.Println(`{"type":"ready","can":["screenshot","navigate","save"]}`)
		case withState && is("restorer"):
			fmt.Println(`{"type":"ready"}`)
		}
	}
	var page struct {
		At string `json:"at"`
	}
	shy, withState := is("shy"), false
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var l struct {
			Type, Text, URL string
			ID              int
			QuestionID      int `json:"question_id"`
			State           json.RawMessage
		}
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			panic(err)
		}
		switch l.Type {
		case "start":
			if err := os.WriteFile("start.json", in.Bytes(), 0o600); err != nil {
				panic(err)
			}
			if withState = l.State != nil; withState {
				_ = json.Unmarshal(l.State, &page)
			}
			for is("lazy") && !exists("go") && !exists("gone") {
				<-time.After(time.Millisecond)
			}
			if !shy {
				greet(withState)
			}
			_ = os.Rename("go", "gone")
		case "message":
			if shy {
				shy = false
				greet(withState)
			}
			for line := range strings.SplitSeq(l.Text, "\n") {
				if line == "!at" {
					line = fmt.Sprintf(`{"type":"done","result":{"at":%q}}`, page.At)
				}
				act(line)
			}
		case "answer":
			fmt.Printf(`{"type":"done","result":{"answer":%q,"to":%d,"pid":%d}}`+"\n", l.Text, l.QuestionID, os.Getpid())
		case "cancel":
			if !is("stubborn") {
				fmt.Println(`{"type":"cancelled"}`)
			}
		case "screenshot":
			if is("shortsighted") {
				os.Exit(4)
			}
			fmt.Println(`{"type":"screenshot","jpeg":"anBlZw==","url":"http://a.example/","title":"A","width":3,"height":2}`)
		case "navigate":
			if strings.Contains(l.URL, "nowhere") {
				fmt.Println(`{"type":"failed","request":"navigate","text":"no such host"}`)
			} else {
				page.At = l.URL
				if is("keeper") {
					fmt.Printf(`{"type":"state","state":{"at":%q}}`+"\n", page.At)
				}
				fmt.Printf(`{"type":"navigated","url":"%s#there"}`+"\n", l.URL)
			}
		case "save":
			fmt.Println(`{"type":"state","state":{"saved":"on request"}}`)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// act does one line of a message.
func act(line string) {
	order, rest, _ := strings.Cut(line, " ")
	number, _ := strconv.Atoi(rest)
	switch order {
	case "!pid":
		fmt.Printf(`{"type":"done","result":%d}`+"\n", os.Getpid())
	case "!exit":
		os.Exit(number)
	case "!die":
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			panic(err)
		}
		select {}
	case "!stderr":
		fmt.Fprintln(os.Stderr, rest)
	case "!env":
		env, _ := json.Marshal(os.Environ())
		fmt.Printf(`{"type":"done","result":%s}`+"\n", env)
	case "!start":
		start, err := os.ReadFile("start.json")
		if err != nil {
			panic(err)
		}
		fmt.Printf(`{"type":"done","result":%s}`+"\n", start)
	case "!spawn":
		child := osexec.Command(os.Args[0], "grandchild")
		ready, err := child.StderrPipe()
		if err != nil || child.Start() != nil {
			panic("no grandchild")
		}
		if _, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
			panic(err)
		}
		fmt.Printf(`{"type":"thought","text":"%d"}`+"\n", child.Process.Pid)
	case "!hog":
		hog := make([]byte, number)
		for i := range hog {
			hog[i] = 1
		}
		fmt.Println(`{"type":"step","text":"full"}`)
		select {}
	case "!count":
		for i := 0; ; i++ {
			if err := os.WriteFile("count", []byte(strconv.Itoa(i)), 0o600); err != nil {
				panic(err)
			}
			<-time.After(time.Millisecond)
		}
	case "!long":
		fmt.Printf(`{"type":"thought","text":"%s"}`+"\n", strings.Repeat("x", number))
	case "!flood":
		for {
			fmt.Println(`{"type":"thought","text":"more"}`)
		}
	default:
		fmt.Println(line)
	}
}
