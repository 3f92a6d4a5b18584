// Dispatch as one would build it on Mosquitto and PostgreSQL, tuned: several lanes share the alerts, each with a
// prepared statement of its own that enters the alert and claims the nearest free responder, and each acknowledges
// to the broker after the commit.
import mqtt from "mqtt";
import pg from "pg";

const [broker, database, lanes] = process.argv.slice(2);

const CLAIM = {
  name: "claim",
  text: `WITH near AS MATERIALIZED (
           SELECT id, place <-> (SELECT place FROM devices WHERE device = $1) AS far
           FROM responders WHERE NOT busy ORDER BY far LIMIT 16),
         free AS (
           SELECT responders.id FROM near JOIN responders USING (id)
           WHERE NOT busy ORDER BY far LIMIT 1 FOR UPDATE OF responders SKIP LOCKED),
         claimed AS (UPDATE responders SET busy = true WHERE id = (SELECT id FROM free) RETURNING id)
         INSERT INTO alerts (device, source, responder) SELECT $1, $2, (SELECT id FROM claimed)
         ON CONFLICT DO NOTHING RETURNING responder`,
};
const FREE = { name: "free", text: "UPDATE responders SET busy = false WHERE id = $1" };

const connect = (clientId) =>
  mqtt.connectAsync(broker, { clientId, clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 86400 } });

const lane = async (number, out) => {
  const postgres = new pg.Client({ host: database, user: "peer", database: "postgres" });
  await postgres.connect();
  const handle = async ({ topic, payload }) => {
    const [first, , device] = topic.split("/");
    if (first === "done") {
      await postgres.query(FREE, [topic.slice("done/".length)]);
      return;
    }
    const { rows } = await postgres.query(CLAIM, [device, JSON.parse(payload).id]);
    if (rows[0]?.responder != null) out.publish(`offers/${rows[0].responder}`, device);
  };
  const alerts = await connect(`lane-${number}`);
  // The broker has its acknowledgement when the second argument is called.
  alerts.handleMessage = (packet, done) => handle(packet).then(() => done(), done);
  await alerts.subscribeAsync(["$share/dispatch/anhu/v1/+/alert", "$share/dispatch/done/+"], { qos: 1 });
};

const out = await connect("out");
await Promise.all(Array.from({ length: Number(lanes) }, (_, number) => lane(number, out)));
console.log("ready");
