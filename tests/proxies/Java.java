import io.flagstore.FlagStore;
import io.flagstore.FlagStoreBuilder;
import io.flagstore.FlagStoreException;

/** One call of one process, as in python.py; the options are its arguments, each name before its value. */
public final class Java {
    public static void main(String[] arguments) {
        FlagStoreBuilder options = FlagStore.builder(arguments[0]);
        for (int next = 1; next < arguments.length; next += 2) {
            options.option(arguments[next], arguments[next + 1]);
        }
        try (FlagStore store = options.open()) {
            System.out.println(store.get("features", "flag").orElseThrow().item());
        } catch (FlagStoreException error) {
            System.out.println(error.getMessage());
            System.exit(1);
        }
    }
}
