// MQTT.js that authenticates by SCRAM; what it sends comes from scram_client.py. One line out: `verified`, or `refused CODE`.
//
// Usage: scram_mqttjs.js PORT MECHANISM USER PASSWORD PYTHON SCRIPT

"use strict";

const { spawn } = require("node:child_process");
const readline = require("node:readline");
const mqtt = require("mqtt");

const [port, mechanism, user, password, python, script] = process.argv.slice(2);
const scram = spawn(python, [script, mechanism, user, password], { stdio: ["pipe", "pipe", "ignore"] });
const lines = readline.createInterface({ input: scram.stdout })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value;
const end = (line) => {
  process.stdout.write(`${line}\n`);
  process.exit(0);
};

async function main() {
  const first = await next();
  const client = mqtt.connect({
    host: "127.0.0.1",
    port: Number(port),
    protocolVersion: 5,
    clientId: "scram-js",
    reconnectPeriod: 0,
    properties: { authenticationMethod: mechanism, authenticationData: Buffer.from(first) },
  });
  client.handleAuth = async (packet, done) => {
    scram.stdin.write(`${packet.properties.authenticationData}\n`);
    const data = Buffer.from(await next());
    done(undefined, { cmd: "auth", reasonCode: 0x18, properties: { authenticationMethod: mechanism, authenticationData: data } });
  };
  client.on("connect", async (connack) => {
    scram.stdin.write(`${connack.properties.authenticationData}\n`);
    end(await next());
  });
  client.on("error", (error) => end(`refused ${error.code}`));
  client.on("close", () => end("closed"));
}

main();
