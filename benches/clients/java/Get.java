import io.flagstore.FlagStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.GetItemRequest;

/**
 * Gets through the Java binding, the least that a cached one can cost (one call through JNI that copies the payload, and the
 * text made of it), or gets with the AWS SDK for Java:
 *
 * <pre>
 * Get flagstore URL CACHE_TTL_MS
 * Get floor BRIDGE BYTES
 * Get aws URL -
 * </pre>
 *
 * The protocol is that of c/blocks.h, without the time of the processor.
 */
final class Get {
    private static final long WARM_UP = 3_000_000_000L;

    private static String kept;

    public static void main(String[] arguments) throws IOException {
        Runnable call = switch (arguments[0]) {
            case "flagstore" -> throughBinding(arguments[1], Long.parseLong(arguments[2]));
            case "floor" -> floor(arguments[1], Integer.parseInt(arguments[2]));
            default -> throughSdk(arguments[1]);
        };
        // As in a service that has run for a while: what is called often is compiled.
        for (long start = System.nanoTime(); System.nanoTime() - start < WARM_UP; ) call.run();
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            long count = Long.parseLong(line);
            long start = System.nanoTime();
            for (long made = 0; made < count; made++) call.run();
            double wall = (System.nanoTime() - start) / 1e9;
            System.out.printf(Locale.ROOT, "{\"calls\":%d,\"wall\":%.9f}%n", count, wall);
        }
    }

    private static Runnable throughBinding(String url, long ttl) {
        FlagStore store = FlagStore.builder("flags").endpoint(URI.create(url)).region("us-east-1")
                .credentials("bench", "bench", null).option("cache_ttl_ms", ttl).open();
        return () -> kept = store.get("features", "flag-000000").orElseThrow().item();
    }

    private static Runnable floor(String bridge, int bytes) {
        System.load(bridge);
        prepare(bytes);
        return () -> kept = new String(payload(), StandardCharsets.UTF_8);
    }

    static native void prepare(int bytes);

    static native byte[] payload();

    private static Runnable throughSdk(String url) {
        DynamoDbClient client = DynamoDbClient.builder().endpointOverride(URI.create(url)).region(Region.US_EAST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("bench", "bench"))).build();
        Map<String, AttributeValue> key = Map.of(
                "namespace", AttributeValue.fromS("features"), "key", AttributeValue.fromS("flag-000000"));
        GetItemRequest request = GetItemRequest.builder().tableName("flags").key(key).consistentRead(true).build();
        return () -> kept = client.getItem(request).item().get("item").s();
    }
}
