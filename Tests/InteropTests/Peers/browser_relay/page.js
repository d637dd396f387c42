// The page: what a person sees of the node, or a test of it.
//
// In the address: ?relay=MULTIADDR, discover=no, limited=no (say nothing through a relay that limits), stun=URL, and
// report=KEY, which has events posted to /event/KEY and commands taken from /commands/KEY.
import { Node } from "./node.js";

const query = new URLSearchParams(location.search);
const reporting = query.get("report");
const $ = (id) => document.getElementById(id);

function line(kind, text) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  $("log").append(item);
  item.scrollIntoView();
}

const last = (peer) => peer.slice(-8);
const SHOWN = {
  ready: ({ peer }) => ["note", `this page is ${peer}`],
  reserved: ({ addresses }) => ["note", `reachable at ${addresses[1]}`],
  message: ({ from, text }) => ["message", `<${last(from)}> ${text}`],
  sent: ({ text, peers }) => ["own", `<you> ${text}  (to ${peers})`],
  connection: ({ peer, state, transport, reason }) =>
    ["note", `${last(peer)}: ${transport} ${state}${reason ? `, ${reason}` : ""}`],
  path: ({ peer, from, to }) => ["note", `${last(peer)}: ${from} → ${to}`],
  pong: ({ peer, ms, transport }) => ["note", `${last(peer)} answers in ${ms.toFixed(1)} ms over ${transport}`],
  perf: ({ peer, bytes, upload, download, transport }) => {
    const rate = (milliseconds) => (bytes / milliseconds / 1000).toFixed(1);
    return ["note", `${last(peer)}: ${rate(upload)} MB/s there, ${rate(download)} MB/s back over ${transport}`];
  },
  error: ({ message }) => ["error", message],
};

// One after the other, so that a test reads them in their order.
let posting = Promise.resolve();
function report(event) {
  const shown = SHOWN[event.event]?.(event);
  if (shown) line(...shown);
  if (!reporting) return;
  const body = JSON.stringify(event);
  posting = posting.then(() => fetch(`/event/${reporting}`, { method: "POST", body })).catch(() => {});
}

const node = await Node.start(report, {
  iceServers: query.getAll("stun").map((urls) => ({ urls })),
  discovers: query.get("discover") !== "no",
  chatsThroughRelay: query.get("limited") !== "no",
});

const COMMANDS = ["say", "connect", "ping", "perf", "disconnect", "stay"];
function attempt(command) {
  const [[name, value], ...more] = Object.entries(command);
  if (!COMMANDS.includes(name)) return node.complain(new Error(`unknown: ${name}`), JSON.stringify(command));
  Promise.resolve(node[name](value, ...more.map(([, value]) => value))).catch((error) => node.complain(error, value));
}

report({ event: "ready", peer: node.identity.text });
if (reporting) {
  new EventSource(`/commands/${reporting}`).onmessage = ({ data }) => attempt(JSON.parse(data));
}
if (query.get("relay")) node.stay(query.get("relay"));
// Nobody has to wait until they notice that the page is gone.
window.onpagehide = () => node.leave();
$("form").onsubmit = (event) => {
  event.preventDefault();
  const [, command, value] = $("input").value.match(/^\/(connect|ping|perf|disconnect|stay) (\S+)$/) ?? [];
  if (command) attempt({ [command]: value });
  else if ($("input").value) attempt({ say: $("input").value });
  $("input").value = "";
};
