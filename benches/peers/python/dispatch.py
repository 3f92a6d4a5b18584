"""Dispatch as one would write it first: one connection to the broker, one to PostgreSQL, one alert after the other."""

import json
import sys

import paho.mqtt.client as mqtt
import psycopg

port, database = int(sys.argv[1]), sys.argv[2]
postgres = psycopg.connect(host=database, user="peer", dbname="postgres", autocommit=True)

CLAIM = """
WITH near AS MATERIALIZED (
  SELECT id, place <-> (SELECT place FROM devices WHERE device = %(device)s) AS far
  FROM responders WHERE NOT busy ORDER BY far LIMIT 16),
free AS (
  SELECT responders.id FROM near JOIN responders USING (id)
  WHERE NOT busy ORDER BY far LIMIT 1 FOR UPDATE OF responders SKIP LOCKED),
claimed AS (UPDATE responders SET busy = true WHERE id = (SELECT id FROM free) RETURNING id)
INSERT INTO alerts (device, source, responder) SELECT %(device)s, %(source)s, (SELECT id FROM claimed)
ON CONFLICT DO NOTHING RETURNING responder
"""


def connected(client, *_):
    client.subscribe([("anhu/v1/+/alert", 1), ("done/+", 1)], None)
    print("ready", flush=True)


def heard(client, _, message):
    if message.topic.startswith("done/"):
        postgres.execute("UPDATE responders SET busy = false WHERE id = %s", [int(message.topic[5:])])
    else:
        device = message.topic.split("/")[2]
        row = postgres.execute(CLAIM, {"device": device, "source": json.loads(message.payload)["id"]}).fetchone()
        if row and row[0] is not None:
            client.publish(f"offers/{row[0]}", device)
    client.ack(message.mid, message.qos)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "lane-0", clean_session=False, manual_ack=True)
client.on_connect, client.on_message = connected, heard
client.connect("127.0.0.1", port)
client.loop_forever()
