// libdatachannel benchmark peer: workload "dcb1", see Benchmarks/RESULTS.md
#include <rtc/rtc.hpp>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>
#include <queue>
using namespace std;
using Clock = chrono::steady_clock;
static double us(Clock::duration d) { return chrono::duration<double, micro>(d).count(); }
static double cpu() { rusage r; getrusage(RUSAGE_SELF, &r); return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6; }
static void rss(int &cur, int &peak) { ifstream f("/proc/self/status"); string l; cur = peak = 0; while (getline(f, l)) { sscanf(l.c_str(), "VmRSS: %d", &cur); sscanf(l.c_str(), "VmHWM: %d", &peak); } }
static const char *B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static string enc(const string &s) { string o; unsigned v = 0; int b = 0; for (unsigned char c : s) { v = v << 8 | c; b += 8; while (b >= 6) { b -= 6; o += B64[v >> b & 63]; } } if (b) o += B64[v << (6 - b) & 63]; while (o.size() % 4) o += '='; return o; }
static string dec(const string &s) { string o; unsigned v = 0; int b = 0; for (char c : s) { const char *p = strchr(B64, c); if (!p || !c) continue; v = v << 6 | (p - B64); b += 6; if (b >= 8) { b -= 8; o += char(v >> b & 255); } } return o; }
struct Sig { int fd; string buf;
  void send(const string &t, const string &sdp) { string m = t + " " + enc(sdp) + "\n"; size_t g = 0; while (g < m.size()) { ssize_t r = ::write(fd, m.data() + g, m.size() - g); if (r <= 0) exit(1); g += r; } }
  bool recv(string &tag, string &sdp) { for (;;) { auto p = buf.find('\n'); if (p != string::npos) { string l = buf.substr(0, p); buf.erase(0, p + 1); istringstream i(l); string b; i >> tag >> b; sdp = dec(b); return true; } char t[65536]; ssize_t r = ::read(fd, t, sizeof t); if (r <= 0) return false; buf.append(t, r); } } };
static rtc::Configuration conf() { rtc::Configuration c; c.bindAddress = "127.0.0.1"; return c; }
static string gather(rtc::PeerConnection &pc, function<void()> kick) { auto m = make_shared<mutex>(); auto cv = make_shared<condition_variable>(); auto done = make_shared<bool>(false);
  pc.onGatheringStateChange([=](rtc::PeerConnection::GatheringState s) { if (s == rtc::PeerConnection::GatheringState::Complete) { lock_guard<mutex> l(*m); *done = true; cv->notify_all(); } });
  kick(); unique_lock<mutex> l(*m); cv->wait(l, [&] { return *done; }); return string(*pc.localDescription()); }
static void serve(int port) {
  int l = socket(AF_INET, SOCK_STREAM, 0); int one = 1; setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, 4); sockaddr_in a{}; a.sin_family = AF_INET; a.sin_addr.s_addr = htonl(INADDR_LOOPBACK); a.sin_port = htons(port); socklen_t al = sizeof a; bind(l, (sockaddr *)&a, al); listen(l, 1); getsockname(l, (sockaddr *)&a, &al); printf("LISTEN %d\n", ntohs(a.sin_port)); fflush(stdout);
  Sig s{accept(l, 0, 0), {}}; setsockopt(s.fd, 6, TCP_NODELAY, &one, 4);
  string tag, sdp; shared_ptr<rtc::PeerConnection> pc; shared_ptr<rtc::DataChannel> dc;
  while (s.recv(tag, sdp)) {
    if (tag == "QUIT") break;
    if (pc) pc->close();
    pc = make_shared<rtc::PeerConnection>(conf());
    pc->onDataChannel([&](shared_ptr<rtc::DataChannel> d) { dc = d; struct St { bool echo = false; long long want = 0, got = 0; Clock::time_point t0; }; auto st = make_shared<St>(); weak_ptr<rtc::DataChannel> w = d;
      d->onMessage([st, w](rtc::binary b) { auto d = w.lock(); if (!d) return; if (st->echo) { d->send(std::move(b)); return; } if (!st->got) st->t0 = Clock::now(); st->got += b.size(); if (st->got >= st->want) d->send("DONE " + to_string(st->got) + " " + to_string((long long)us(Clock::now() - st->t0))); },
        [st, w](string q) { auto d = w.lock(); if (!d) return; if (q.rfind("ECHO", 0) == 0) { st->echo = true; d->send(string("OK")); } else if (q.rfind("SINK", 0) == 0) { st->echo = false; st->want = atoll(q.c_str() + 5); st->got = 0; d->send(string("OK")); } else if (q == "STATS") { int x, y; rss(x, y); char t[128]; snprintf(t, 128, "STATS %.6f %d %d", cpu(), x, y); d->send(string(t)); } }); });
    string ans = gather(*pc, [&] { pc->setRemoteDescription(rtc::Description(sdp, "offer")); });
    s.send("ANSWER", ans);
  }
  _exit(0);
}
struct Q { mutex m; condition_variable cv; queue<string> t; int bin = 0; bool low = false, open = false; };
struct Client { shared_ptr<rtc::PeerConnection> pc; shared_ptr<rtc::DataChannel> dc; shared_ptr<Q> q = make_shared<Q>();
  string ask(const string &s) { dc->send(s); unique_lock<mutex> l(q->m); q->cv.wait(l, [&] { return !q->t.empty(); }); string r = q->t.front(); q->t.pop(); return r; }
  double stats(int *cur = nullptr, int *peak = nullptr) { double f; int a, b; sscanf(ask("STATS").c_str(), "STATS %lf %d %d", &f, &a, &b); if (cur) *cur = a; if (peak) *peak = b; return f; } };
static Client dial(Sig &s, double &ms) { auto t = Clock::now(); Client c; auto q = c.q; c.pc = make_shared<rtc::PeerConnection>(conf());
  string offer = gather(*c.pc, [&] { c.dc = c.pc->createDataChannel("bench");
    c.dc->onOpen([q] { lock_guard<mutex> l(q->m); q->open = true; q->cv.notify_all(); });
    c.dc->setBufferedAmountLowThreshold(262144);
    c.dc->onBufferedAmountLow([q] { lock_guard<mutex> l(q->m); q->low = true; q->cv.notify_all(); });
    c.dc->onMessage([q](rtc::binary) { lock_guard<mutex> l(q->m); q->bin++; q->cv.notify_all(); }, [q](string x) { lock_guard<mutex> l(q->m); q->t.push(x); q->cv.notify_all(); }); });
  s.send("OFFER", offer); string tag, sdp; s.recv(tag, sdp); c.pc->setRemoteDescription(rtc::Description(sdp, "answer"));
  { unique_lock<mutex> l(q->m); q->cv.wait(l, [&] { return q->open; }); } ms = us(Clock::now() - t) / 1000; return c; }
static void out(const char *n, double v, const char *u, const string &x = "") { printf("R\t%s\t%.4f\t%s\t%s\n", n, v, u, x.c_str()); fflush(stdout); }
static string f(const char *fmt, ...) { char b[512]; va_list ap; va_start(ap, fmt); vsnprintf(b, 512, fmt, ap); va_end(ap); return b; }
// What an idle connection costs: so many pairs in this one process, the first apart.
static void idle(int pairs) { vector<shared_ptr<rtc::PeerConnection>> all; vector<shared_ptr<rtc::DataChannel>> channels; int before = 0, now = 0, peak;
  for (int i = 0; i < pairs; i++) { auto a = make_shared<rtc::PeerConnection>(conf()), b = make_shared<rtc::PeerConnection>(conf()); auto m = make_shared<mutex>(); auto cv = make_shared<condition_variable>(); auto open = make_shared<bool>(false); auto theirs = make_shared<shared_ptr<rtc::DataChannel>>();
    b->onDataChannel([theirs](shared_ptr<rtc::DataChannel> d) { *theirs = d; }); shared_ptr<rtc::DataChannel> ours;
    string offer = gather(*a, [&] { ours = a->createDataChannel("bench"); ours->onOpen([=] { lock_guard<mutex> l(*m); *open = true; cv->notify_all(); }); });
    string answer = gather(*b, [&] { b->setRemoteDescription(rtc::Description(offer, "offer")); }); a->setRemoteDescription(rtc::Description(answer, "answer"));
    { unique_lock<mutex> l(*m); cv->wait(l, [&] { return *open; }); } all.insert(all.end(), {a, b}); channels.insert(channels.end(), {ours, *theirs});
    if (i == 0 || i + 1 == pairs) { usleep(500000); rss(i == 0 ? before : now, peak); } }
  printf("R\trss_per_connection_kB\t%.1f\tkB\tfirst_pair=%.1f pairs=%d\n", (now - before) / 2.0 / (pairs - 1), before / 1024.0, pairs); fflush(stdout); _exit(0); }
int main(int argc, char **argv) {
  int idles = 0, listen = -1, port = 0, setups = 12, pings = 5000, mb16 = 256, mb1 = 64, m64 = 300000;
  for (int i = 1; i + 1 < argc; i += 2) { string k = argv[i]; while (k[0] == '-') k.erase(0, 1); int v = atoi(argv[i + 1]); if (k == "serve") listen = v; if (k == "port") port = v; if (k == "setups") setups = v; if (k == "pings") pings = v; if (k == "mb16k") mb16 = v; if (k == "mb1k") mb1 = v; if (k == "msgs64") m64 = v; if (k == "idle") idles = v; }
  rtc::InitLogger(rtc::LogLevel::Error);
  rtc::Preload();
  if (idles > 1) idle(idles);
  if (listen >= 0) serve(listen);
  int fd = socket(AF_INET, SOCK_STREAM, 0); sockaddr_in a{}; a.sin_family = AF_INET; a.sin_addr.s_addr = htonl(INADDR_LOOPBACK); a.sin_port = htons(port); if (connect(fd, (sockaddr *)&a, sizeof a)) { perror("connect"); return 1; } int one = 1; setsockopt(fd, 6, TCP_NODELAY, &one, 4);
  Sig s{fd, {}}; vector<double> su; Client c; for (int i = 0; i < setups; i++) { if (c.pc) { c.pc->close(); usleep(20000); } double ms; c = dial(s, ms); su.push_back(ms); }
  out("setup_first_ms", su[0], "ms"); vector<double> w(su.begin() + 1, su.end()); sort(w.begin(), w.end()); out("setup_ms", w[w.size() / 2], "ms_p50", f("min=%.2f max=%.2f n=%d all=", w[0], w.back(), (int)w.size()) + [&]{ string o; for (double x : su) o += f("%.1f ", x); return o; }());
  int x, y, p1, p2; rss(x, y); c.stats(&p1, &p2); out("rss_idle_MB", x / 1024.0, "MB", f("peer=%.1f", p1 / 1024.0));
  c.ask("ECHO"); rtc::binary buf(64); vector<double> rt; double c0 = cpu(), s0 = c.stats(); auto q = c.q;
  for (int i = -300; i < pings; i++) { auto t = Clock::now(); c.dc->send(buf); unique_lock<mutex> l(q->m); q->cv.wait(l, [&] { return q->bin > 0; }); q->bin = 0; if (i >= 0) rt.push_back(us(Clock::now() - t)); }
  double s1 = c.stats(); sort(rt.begin(), rt.end()); out("rtt64_p50_us", rt[rt.size() / 2], "us", f("p99=%.1f p999=%.1f cpu_us_per_rtt=%.1f", rt[rt.size() * 99 / 100], rt[rt.size() * 999 / 1000], (cpu() - c0 + s1 - s0) / (pings + 300) * 1e6));
  auto run = [&](const char *n, int size, long count) { if (!count) return; long long total = (long long)size * count; c.ask("SINK " + to_string(total)); double s0 = c.stats(); vector<byte> buf(size); double c0 = cpu(); auto t = Clock::now();
    for (long i = 0; i < count; i++) { if (c.dc->bufferedAmount() > (1 << 20)) { unique_lock<mutex> l(q->m); q->cv.wait_for(l, chrono::milliseconds(200), [&] { return q->low || c.dc->bufferedAmount() <= 262144; }); q->low = false; } c.dc->send(buf.data(), buf.size()); }
    { unique_lock<mutex> l(q->m); q->cv.wait(l, [&] { return !q->t.empty(); }); q->t.pop(); } double d = us(Clock::now() - t) / 1e6, c1 = cpu(); int pc_, pk; double s1 = c.stats(&pc_, &pk); int me, mp; rss(me, mp); double cc = c1 - c0 + s1 - s0;
    out(n, total / d / 1e6, "MB/s", f("msg_per_s=%.0f cpu_s_per_GiB=%.3f cpu_us_per_msg=%.3f tx_cpu=%.3f rx_cpu=%.3f peakrss_tx=%.1f peakrss_rx=%.1f", count / d, cc / total * (1 << 30), cc / count * 1e6, c1 - c0, s1 - s0, mp / 1024.0, pk / 1024.0)); };
  run("tput16k", 16384, mb16 * 64L); run("tput1k", 1024, mb1 * 1024L); run("tput64", 64, m64);
  write(fd, "QUIT\n", 5); _exit(0);
}
