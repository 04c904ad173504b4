// An MQTT.js client that the interop tests drive: flags in, one line per event out. The lines are those of paho_client.py.

"use strict";

const fs = require("node:fs");
const { parseArgs } = require("node:util");
const mqtt = require("mqtt");

const { values: flag, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    version: { type: "string" },
    door: { type: "string", default: "tls" },
    port: { type: "string" },
    cafile: { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
    id: { type: "string" },
    topic: { type: "string" },
    qos: { type: "string", default: "0" },
    retain: { type: "boolean", default: false },
    message: { type: "string", multiple: true, default: [] },
    count: { type: "string", default: "0" },
    "will-topic": { type: "string" },
    "will-message": { type: "string", default: "" },
    "will-qos": { type: "string", default: "0" },
  },
});
const action = positionals[0];
const say = (...words) => process.stdout.write(`${words.join(" ")}\n`);
const read = (path) => (path ? fs.readFileSync(path) : undefined);

const client = mqtt.connect({
  protocol: { tls: "mqtts", ws: "ws", wss: "wss" }[flag.door],
  path: flag.door === "tls" ? undefined : "/mqtt",
  host: "127.0.0.1",
  port: Number(flag.port),
  protocolVersion: { 31: 3, 311: 4, 5: 5 }[flag.version],
  protocolId: flag.version === "31" ? "MQIsdp" : "MQTT",
  clientId: flag.id,
  ca: read(flag.cafile),
  cert: read(flag.cert),
  key: read(flag.key),
  rejectUnauthorized: true,
  reconnectPeriod: 0,
  keepalive: 30,
  clean: true,
  will: flag["will-topic"]
    ? { topic: flag["will-topic"], payload: flag["will-message"], qos: Number(flag["will-qos"]), retain: false }
    : undefined,
});

let ended = false;
let disconnect;
function end(code) {
  if (ended) return;
  ended = true;
  client.end(code !== 0, () => process.exit(code));
}

client.on("connect", () => {
  say("connected");
  if (action === "sub") {
    client.subscribe(flag.topic, { qos: Number(flag.qos) }, (error, granted) => {
      say("subscribed", error ? 128 : granted[0].qos);
    });
    return;
  }
  let published = 0;
  for (const message of flag.message) {
    client.publish(flag.topic, message, { qos: Number(flag.qos), retain: flag.retain }, (error) => {
      if (error) {
        say("failed", error.message);
        end(1);
        return;
      }
      say("published", flag.qos);
      published += 1;
      if (published === flag.message.length) end(0);
    });
  }
});

let seen = 0;
client.on("message", (topic, payload, packet) => {
  say("message", topic, packet.qos, packet.retain ? 1 : 0, payload.toString());
  seen += 1;
  if (seen === Number(flag.count)) end(0);
});
client.on("disconnect", (packet) => {
  disconnect = packet;
});
client.on("error", (error) => {
  if (typeof error.code === "number") say("refused", error.code);
  else say("failed", error.message);
  end(1);
});
client.on("close", () => {
  if (ended) return;
  const reason = disconnect?.properties?.reasonString ?? "-";
  say("disconnected", disconnect?.reasonCode ?? "-", reason);
  end(1);
});
