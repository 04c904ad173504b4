"""A paho-mqtt client that the interop tests drive: flags in, one line per event out.

    connected                          CONNACK accepted
    refused CODE                       CONNACK with an error
    subscribed CODE                    SUBACK
    message TOPIC QOS RETAIN PAYLOAD   PUBLISH
    published QOS PAYLOAD              the whole exchange of that QoS is over
    disconnected CODE REASON           DISCONNECT from the broker, or `-` where there was none
    failed TEXT                        the connection could not be made

Exit code 0 when everything asked for happened, 1 otherwise.
"""

import argparse
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

TRANSPORTS = {"tls": "tcp", "ws": "websockets", "wss": "websockets", "unix": "unix"}


def flags():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["pub", "sub"])
    parser.add_argument("--version", choices=["31", "311", "5"], required=True)
    parser.add_argument("--door", choices=["tls", "ws", "wss", "unix"], default="tls")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--path", help="of the unix socket")
    parser.add_argument("--cafile")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--id", default="")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--qos", type=int, default=0)
    parser.add_argument("--retain", action="store_true")
    parser.add_argument("--message", action="append", default=[])
    parser.add_argument("--count", type=int, default=0, help="leave after so many messages; 0: stay")
    parser.add_argument("--will-topic")
    parser.add_argument("--will-message", default="")
    parser.add_argument("--will-qos", type=int, default=0)
    return parser.parse_args()


def say(*words):
    print(*words, flush=True)


class Run:
    def __init__(self, options):
        self.options = options
        self.done = threading.Event()
        self.succeeded = False
        self.seen = 0
        self.pending = {}
        protocol = {"31": mqtt.MQTTv31, "311": mqtt.MQTTv311, "5": mqtt.MQTTv5}[options.version]
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=options.id, protocol=protocol, transport=TRANSPORTS[options.door])
        if options.door in ("tls", "wss"):
            self.client.tls_set(options.cafile, options.cert, options.key, cert_reqs=ssl.CERT_REQUIRED)
        if options.will_topic:
            self.client.will_set(options.will_topic, options.will_message, options.will_qos)
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = self.on_subscribe
        self.client.on_message = self.on_message
        self.client.on_publish = self.on_publish
        self.client.on_disconnect = self.on_disconnect

    def on_connect(self, client, userdata, connect_flags, reason_code, properties):
        if reason_code.is_failure:
            say("refused", reason_code.value)
            self.end(False)
            return
        say("connected")
        if self.options.action == "sub":
            client.subscribe(self.options.topic, self.options.qos)
            return
        for message in self.options.message:
            info = client.publish(self.options.topic, message, self.options.qos, self.options.retain)
            self.pending[info.mid] = message

    def on_subscribe(self, client, userdata, mid, reason_codes, properties):
        say("subscribed", reason_codes[0].value)

    def on_message(self, client, userdata, message):
        say("message", message.topic, message.qos, int(message.retain), message.payload.decode())
        self.seen += 1
        if self.seen == self.options.count:
            self.end(True)

    def on_publish(self, client, userdata, mid, reason_code, properties):
        # The answer may be read before `publish` has returned its number: count instead of looking it up.
        say("published", self.options.qos)
        self.seen += 1
        if self.seen == len(self.options.message):
            self.end(True)

    def on_disconnect(self, client, userdata, disconnect_flags, reason_code, properties):
        if self.done.is_set():
            return
        reason = getattr(properties, "ReasonString", "-") if properties else "-"
        code = reason_code.value if disconnect_flags.is_disconnect_packet_from_server else "-"
        say("disconnected", code, reason)
        self.end(False)

    def end(self, succeeded):
        self.succeeded = succeeded
        self.done.set()

    def run(self):
        try:
            self.client.connect(self.options.path or "127.0.0.1", self.options.port or 1, keepalive=30)
        except OSError as error:
            say("failed", error)
            return 1
        self.client.loop_start()
        self.done.wait()
        self.client.disconnect()
        self.client.loop_stop()
        return 0 if self.succeeded else 1


sys.exit(Run(flags()).run())
