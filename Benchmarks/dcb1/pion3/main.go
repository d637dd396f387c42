// pion data channel benchmark peer: workload "dcb1", see Benchmarks/RESULTS.md
package main

import (
	"bufio"
	"encoding/base64"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/webrtc/v3"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ERR", err)
		os.Exit(1)
	}
}
func cpu() float64 {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}
func rss() (cur, max int) {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		fmt.Sscanf(l, "VmRSS: %d", &cur)
		fmt.Sscanf(l, "VmHWM: %d", &max)
	}
	return
}
func newAPI() *webrtc.API {
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetICEMulticastDNSMode(mdnsOff)
	return webrtc.NewAPI(webrtc.WithSettingEngine(s))
}

type sig struct {
	c net.Conn
	r *bufio.Reader
}

func (s *sig) send(tag, sdp string) {
	fmt.Fprintf(s.c, "%s %s\n", tag, base64.StdEncoding.EncodeToString([]byte(sdp)))
}
func (s *sig) recv() (string, string, error) {
	l, err := s.r.ReadString('\n')
	if err != nil {
		return "", "", err
	}
	f := strings.Fields(l)
	if len(f) < 2 {
		return f[0], "", nil
	}
	b, err := base64.StdEncoding.DecodeString(f[1])
	return f[0], string(b), err
}

func serve(port int, silent bool) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	must(err)
	fmt.Printf("LISTEN %d\n", l.Addr().(*net.TCPAddr).Port)
	c, err := l.Accept()
	must(err)
	s := &sig{c, bufio.NewReaderSize(c, 1<<20)}
	api := newAPI()
	var old *webrtc.PeerConnection
	for {
		tag, sdp, err := s.recv()
		if err != nil || tag == "QUIT" {
			os.Exit(0)
		}
		if old != nil {
			old.Close()
		}
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		must(err)
		old = pc
		pc.OnDataChannel(func(dc *webrtc.DataChannel) {
			var echo bool
			var want, got int64
			var t0 time.Time
			dc.OnMessage(func(m webrtc.DataChannelMessage) {
				if m.IsString {
					f := strings.Fields(string(m.Data))
					switch f[0] {
					case "ECHO":
						echo = true
						dc.SendText("OK")
					case "SINK":
						echo = false
						fmt.Sscan(f[1], &want)
						got = 0
						dc.SendText("OK")
					case "STATS":
						a, b := rss()
						dc.SendText(fmt.Sprintf("STATS %.6f %d %d", cpu(), a, b))
					}
					return
				}
				if echo {
					dc.Send(m.Data)
					return
				}
				if got == 0 {
					t0 = time.Now()
				}
				got += int64(len(m.Data))
				if got >= want {
					dc.SendText(fmt.Sprintf("DONE %d %d", got, time.Since(t0).Microseconds()))
				}
			})
		})
		must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}))
		g := webrtc.GatheringCompletePromise(pc)
		a, err := pc.CreateAnswer(nil)
		must(err)
		must(pc.SetLocalDescription(a))
		<-g
		s.send("ANSWER", pc.LocalDescription().SDP)
	}
}

type client struct {
	dc   *webrtc.DataChannel
	pc   *webrtc.PeerConnection
	text chan string
	bin  chan int
	low  chan struct{}
}

func dial(s *sig, api *webrtc.API) (*client, time.Duration) {
	t := time.Now()
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	must(err)
	c := &client{pc: pc, text: make(chan string, 16), bin: make(chan int, 1024), low: make(chan struct{}, 1)}
	dc, err := pc.CreateDataChannel("bench", nil)
	must(err)
	c.dc = dc
	open := make(chan struct{})
	dc.OnOpen(func() { close(open) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		if m.IsString {
			c.text <- string(m.Data)
		} else {
			c.bin <- len(m.Data)
		}
	})
	dc.SetBufferedAmountLowThreshold(262144)
	dc.OnBufferedAmountLow(func() {
		select {
		case c.low <- struct{}{}:
		default:
		}
	})
	g := webrtc.GatheringCompletePromise(pc)
	o, err := pc.CreateOffer(nil)
	must(err)
	must(pc.SetLocalDescription(o))
	<-g
	s.send("OFFER", pc.LocalDescription().SDP)
	_, sdp, err := s.recv()
	must(err)
	must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}))
	<-open
	return c, time.Since(t)
}
func (c *client) ask(q string) string { c.dc.SendText(q); return <-c.text }
func (c *client) stats() (float64, int, int) {
	var f float64
	var a, b int
	fmt.Sscanf(c.ask("STATS"), "STATS %f %d %d", &f, &a, &b)
	return f, a, b
}
func out(name string, v float64, unit string, extra string) {
	fmt.Printf("R\t%s\t%.4f\t%s\t%s\n", name, v, unit, extra)
}

func main() {
	listen := flag.Int("serve", -1, "listen port (0 any)")
	port := flag.Int("port", 0, "peer port")
	setups := flag.Int("setups", 12, "")
	pings := flag.Int("pings", 5000, "")
	mb16 := flag.Int("mb16k", 256, "MiB at 16 KiB")
	mb1 := flag.Int("mb1k", 64, "MiB at 1 KiB")
	m64 := flag.Int("msgs64", 300000, "64 B messages")
	flag.Parse()
	if *listen >= 0 {
		serve(*listen, false)
	}
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	must(err)
	s := &sig{conn, bufio.NewReaderSize(conn, 1<<20)}
	api := newAPI()
	var su []float64
	var c *client
	for i := 0; i < *setups; i++ {
		if c != nil {
			c.pc.Close()
			time.Sleep(20 * time.Millisecond)
		}
		var d time.Duration
		c, d = dial(s, api)
		su = append(su, float64(d.Microseconds())/1000)
	}
	out("setup_first_ms", su[0], "ms", "")
	w := append([]float64{}, su[1:]...)
	sort.Float64s(w)
	out("setup_ms", w[len(w)/2], "ms_p50", fmt.Sprintf("min=%.2f max=%.2f n=%d all=%.1f", w[0], w[len(w)-1], len(w), su))
	a, _ := rss()
	_, b, _ := c.stats()
	out("rss_idle_MB", float64(a)/1024, "MB", fmt.Sprintf("peer=%.1f", float64(b)/1024))
	// ping
	c.ask("ECHO")
	buf := make([]byte, 64)
	var rt []float64
	c0 := cpu()
	s0, _, _ := c.stats()
	for i := -300; i < *pings; i++ {
		t := time.Now()
		c.dc.Send(buf)
		<-c.bin
		if i >= 0 {
			rt = append(rt, float64(time.Since(t).Nanoseconds())/1000)
		}
	}
	s1, _, _ := c.stats()
	sort.Float64s(rt)
	out("rtt64_p50_us", rt[len(rt)/2], "us", fmt.Sprintf("p99=%.1f p999=%.1f cpu_us_per_rtt=%.1f", rt[len(rt)*99/100], rt[len(rt)*999/1000], (cpu()-c0+s1-s0)/float64(*pings+300)*1e6))
	run := func(name string, size int, count int) {
		if count == 0 {
			return
		}
		total := int64(size) * int64(count)
		c.ask(fmt.Sprintf("SINK %d", total))
		s0, _, _ := c.stats()
		buf := make([]byte, size)
		c0 := cpu()
		t := time.Now()
		for i := 0; i < count; i++ {
			for c.dc.BufferedAmount() > 1<<20 {
				<-c.low
			}
			must(c.dc.Send(buf))
		}
		<-c.text
		d := time.Since(t).Seconds()
		c1 := cpu()
		s1, _, pk := c.stats()
		_, me := rss()
		cc := c1 - c0 + s1 - s0
		out(name, float64(total)/d/1e6, "MB/s", fmt.Sprintf("msg_per_s=%.0f cpu_s_per_GiB=%.3f cpu_us_per_msg=%.3f tx_cpu=%.3f rx_cpu=%.3f peakrss_tx=%.1f peakrss_rx=%.1f", float64(count)/d, cc/float64(total)*(1<<30), cc/float64(count)*1e6, c1-c0, s1-s0, float64(me)/1024, float64(pk)/1024))
	}
	run("tput16k", 16384, *mb16*64)
	run("tput1k", 1024, *mb1*1024)
	run("tput64", 64, *m64)
	fmt.Fprintf(conn, "QUIT\n")
	_ = runtime.NumCPU()
	_ = atomic.AddInt32
}
