import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.apicurio.registry.content.TypedContent;
import io.apicurio.registry.rules.compatibility.CompatibilityLevel;
import io.apicurio.registry.rules.compatibility.JsonSchemaCompatibilityChecker;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;

/** A line of JSON for each case (level, old, new) in; safe, breaking or refused for each out. */
class Verdicts {
    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in));
        var mapper = new ObjectMapper();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(verdict(mapper.readTree(line)));
        }
    }

    private static String verdict(JsonNode asked) {
        try {
            var found = new JsonSchemaCompatibilityChecker().testCompatibility(
                CompatibilityLevel.valueOf(asked.get("level").asText()),
                List.of(content(asked.get("old"))), content(asked.get("new")), Map.of());
            return found.isCompatible() ? "safe" : "breaking";
        } catch (Exception | StackOverflowError failed) {
            return "refused";
        }
    }

    private static TypedContent content(JsonNode schema) {
        return TypedContent.create(schema.toString(), "application/json");
    }
}
