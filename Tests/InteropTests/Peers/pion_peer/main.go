// pion_peer is pion's data channels behind the line protocol of channel_lines.py.
//
//	pion_peer [-ip 127.0.0.1]
//
// Scripts/build-pion builds it against Debian's Go packages, without a network.
package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
)

// What a sender keeps in pion's buffer at most, in bytes.
const buffered = 1 << 20

type members map[string]interface{}

type command struct {
	Do, Label, Type, SDP, Candidate, Mid, Protocol string
	Text, Hex                                      *string
	Bytes, Size                                    int
	Ordered                                        *bool
	MaxRetransmits                                 *uint16 `json:"max_retransmits"`
	MaxLifetime                                    *uint16 `json:"max_lifetime_ms"`
	Negotiated                                     bool
	ID                                             *uint16
}

// A tally is what a channel brought so far.
type tally struct {
	bytes, messages int
	digest          hash.Hash
	expected        int
}

func newTally() *tally { return &tally{digest: sha256.New(), expected: -1} }

func (t *tally) add(data []byte) {
	t.bytes += len(data)
	t.messages++
	t.digest.Write(data)
}

func (t *tally) report(label string) members {
	return members{"label": label, "bytes": t.bytes, "messages": t.messages,
		"sha256": hex.EncodeToString(t.digest.Sum(nil))}
}

type peer struct {
	pc       *webrtc.PeerConnection
	lock     sync.Mutex
	output   sync.Mutex
	channels map[string]*webrtc.DataChannel
	tallies  map[string]*tally
	echoing  map[string]bool
}

func (p *peer) emit(event string, m members) {
	if m == nil {
		m = members{}
	}
	m["event"] = event
	line, _ := json.Marshal(m)
	p.output.Lock()
	defer p.output.Unlock()
	fmt.Println(string(line))
}

func (p *peer) tally(label string) *tally {
	if p.tallies[label] == nil {
		p.tallies[label] = newTally()
	}
	return p.tallies[label]
}

func (p *peer) judge(label string) {
	t := p.tally(label)
	if t.expected >= 0 && t.bytes >= t.expected {
		t.expected = -1
		p.emit("digest", t.report(label))
	}
}

func (p *peer) watch(d *webrtc.DataChannel, theirs bool) {
	label := d.Label()
	p.lock.Lock()
	p.channels[label] = d
	p.lock.Unlock()
	d.OnOpen(func() {
		p.emit("open", members{"label": label, "id": d.ID(), "theirs": theirs, "protocol": d.Protocol(),
			"ordered": d.Ordered(), "max_retransmits": d.MaxRetransmits(), "max_lifetime_ms": d.MaxPacketLifeTime()})
	})
	d.OnClose(func() { p.emit("closed", members{"label": label}) })
	d.OnMessage(func(m webrtc.DataChannelMessage) {
		p.lock.Lock()
		p.tally(label).add(m.Data)
		echo := p.echoing[label]
		p.lock.Unlock()
		if echo {
			if err := send(d, m.IsString, m.Data); err != nil {
				p.emit("error", members{"what": "echo", "error": err.Error()})
			}
		}
		if !strings.HasPrefix(label, "bulk") {
			if m.IsString {
				p.emit("message", members{"label": label, "text": string(m.Data)})
			} else {
				p.emit("message", members{"label": label, "hex": hex.EncodeToString(m.Data)})
			}
		}
		p.lock.Lock()
		p.judge(label)
		p.lock.Unlock()
	})
}

func send(d *webrtc.DataChannel, isString bool, data []byte) error {
	if isString {
		return d.SendText(string(data))
	}
	return d.Send(data)
}

func (p *peer) local(description webrtc.SessionDescription, err error) error {
	if err != nil {
		return err
	}
	done := webrtc.GatheringCompletePromise(p.pc)
	if err = p.pc.SetLocalDescription(description); err != nil {
		return err
	}
	<-done
	d := p.pc.LocalDescription()
	p.emit("description", members{"type": d.Type.String(), "sdp": d.SDP})
	return nil
}

func (p *peer) flood(d *webrtc.DataChannel, label string, count, size int) error {
	t, block := newTally(), make([]byte, 65536+size)
	if _, err := rand.Read(block); err != nil {
		return err
	}
	for t.bytes < count {
		begin, length := t.messages%65536, size
		if count-t.bytes < length {
			length = count - t.bytes
		}
		for d.BufferedAmount() > buffered {
			time.Sleep(2 * time.Millisecond)
		}
		piece := block[begin : begin+length]
		if err := d.Send(piece); err != nil {
			return err
		}
		t.add(piece)
	}
	p.emit("flooded", t.report(label))
	return nil
}

func (p *peer) do(c command) error {
	p.lock.Lock()
	d := p.channels[c.Label]
	p.lock.Unlock()
	switch c.Do {
	case "offer":
		return p.local(p.pc.CreateOffer(nil))
	case "remote":
		remote := webrtc.SessionDescription{Type: webrtc.NewSDPType(c.Type), SDP: c.SDP}
		if err := p.pc.SetRemoteDescription(remote); err != nil || c.Type != "offer" {
			return err
		}
		return p.local(p.pc.CreateAnswer(nil))
	case "candidate":
		return p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: &c.Mid})
	case "open":
		init := webrtc.DataChannelInit{Ordered: c.Ordered, MaxRetransmits: c.MaxRetransmits,
			MaxPacketLifeTime: c.MaxLifetime, Protocol: &c.Protocol, Negotiated: &c.Negotiated, ID: c.ID}
		made, err := p.pc.CreateDataChannel(c.Label, &init)
		if err == nil {
			p.watch(made, false)
		}
		return err
	case "expect":
		p.lock.Lock()
		defer p.lock.Unlock()
		p.tally(c.Label).expected = c.Bytes
		p.judge(c.Label)
		return nil
	case "echo":
		p.lock.Lock()
		defer p.lock.Unlock()
		p.echoing[c.Label] = true
		return nil
	}
	if d == nil {
		return errors.New("no such channel: " + c.Label)
	}
	switch c.Do {
	case "send":
		if c.Text != nil {
			return d.SendText(*c.Text)
		}
		data, err := hex.DecodeString(*c.Hex)
		if err != nil {
			return err
		}
		return d.Send(data)
	case "flood":
		go func() {
			if err := p.flood(d, c.Label, c.Bytes, c.Size); err != nil {
				p.emit("error", members{"what": "flood", "error": err.Error()})
			}
		}()
		return nil
	case "close":
		return d.Close()
	}
	return errors.New("nobody knows how to " + c.Do)
}

func run(ip net.IP) error {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(found net.IP) bool { return found.Equal(ip) })
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	p := &peer{pc: pc, channels: map[string]*webrtc.DataChannel{}, tallies: map[string]*tally{},
		echoing: map[string]bool{}}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { p.emit("state", members{"state": s.String()}) })
	pc.OnDataChannel(func(d *webrtc.DataChannel) { p.watch(d, true) })
	p.emit("ready", members{"stack": "pion", "version": "v3"})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		if c.Do == "quit" {
			break
		}
		if err := p.do(c); err != nil {
			p.emit("error", members{"what": c.Do, "error": err.Error()})
		}
	}
	return pc.Close()
}

func main() {
	ip := flag.String("ip", "127.0.0.1", "the one address it offers")
	flag.Parse()
	if err := run(net.ParseIP(*ip)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
