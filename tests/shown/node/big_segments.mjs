// The SDK's client with both stores of this library. It looks for LaunchDarkly where it is told to, and that is nowhere.
// SHOWN(bindings/node/README.md, 3)
client.close();
