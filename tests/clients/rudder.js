// node rudder.js HOST WRITE_KEY USER: what a server says with @rudderstack/rudder-sdk-node.
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");

const [dataPlaneUrl, writeKey, userId] = process.argv.slice(2);
const analytics = new RudderAnalytics(writeKey, { dataPlaneUrl });
analytics.identify({ userId, anonymousId: "anon-1", traits: { plan: "pro" } });
analytics.track({ userId, event: "Order Completed", properties: { total: 12.5 } });
analytics.page({ userId, name: "Home", properties: { path: "/" } });
analytics.flush((error) => {
  if (error) {
    console.error(error);
    process.exitCode = 1;
  }
});
