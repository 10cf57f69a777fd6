import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A client of Munjigi and of the planner: sign up, sign in, call, refresh, sign out. Needs nothing
 * but a JDK of 17 or later:
 *
 * <pre>java Client.java [issuer [planner]]</pre>
 *
 * Ends with an error when anything is not as it should be.
 */
public final class Client {
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private final String issuer;
    private final String planner;

    private Client(String issuer, String planner) {
        this.issuer = issuer;
        this.planner = planner;
    }

    public static void main(String[] arguments) throws Exception {
        String issuer = arguments.length > 0 ? arguments[0] : "http://localhost:8000";
        String planner = arguments.length > 1 ? arguments[1] : "http://localhost:8001";
        new Client(issuer, planner).run();
        System.out.println("done");
    }

    private void run() throws Exception {
        String users = issuer + "/api/v1/users";
        String name = "gildong" + UUID.randomUUID().toString().substring(0, 8);
        String password = UUID.randomUUID().toString();
        String account = "{\"email\":\"" + name + "@test.com\",\"username\":\"" + name
                + "\",\"password\":\"" + password + "\"}";
        expect("sign up", json(users + "/signup", account, null), 201);

        String credentials = "{\"username\":\"" + name + "\",\"password\":\"" + password + "\"}";
        String tokens = expect("sign in", json(users + "/signin", credentials, null), 200);
        String access = member(tokens, "access_token");

        String event = "{\"title\":\"첫번째 타이틀\",\"image\":\"https://dummyimage.com/200x200\","
                + "\"description\":\"첫번째 샘플 이벤트 입니다.\",\"tags\":[\"java\"],"
                + "\"location\":\"Google Doc\"}";
        expect("add an event without a token", json(planner + "/events", event, null), 401);
        expect("add an event", json(planner + "/events", event, access), 201);
        String id = member(expect("who am I", get(users + "/me", access), 200), "id");
        String listed = expect("list the events", get(planner + "/events", null), 200);
        if (!listed.contains("\"owner\":\"" + id + "\"")) {
            throw new IllegalStateException("the event is not listed as ours");
        }

        // RFC 6749 §6. The answer holds a new refresh token; the old one is spent.
        tokens = expect("refresh", refresh(member(tokens, "refresh_token")), 200);
        access = member(tokens, "access_token");
        expect("sign out", json(users + "/signout", "", access), 204);
        expect("refresh after that", refresh(member(tokens, "refresh_token")), 400);
    }

    private HttpResponse<String> refresh(String token) throws Exception {
        String form = "grant_type=refresh_token&refresh_token="
                + URLEncoder.encode(token, StandardCharsets.UTF_8);
        return send(request(issuer + "/oauth2/token", null)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(form)));
    }

    private HttpResponse<String> json(String url, String body, String token) throws Exception {
        return send(request(url, token)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    private HttpResponse<String> get(String url, String token) throws Exception {
        return send(request(url, token).GET());
    }

    private static HttpRequest.Builder request(String url, String token) {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(10));
        return token == null ? request : request.header("Authorization", "Bearer " + token);
    }

    private HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** Prints a step and ends the program unless the status is the expected one. */
    private static String expect(String step, HttpResponse<String> response, int status) {
        System.out.println(step + ": " + response.statusCode());
        if (response.statusCode() != status) {
            throw new IllegalStateException(
                    "expected " + status + ", got " + response.statusCode() + ": " + response.body());
        }
        return response.body();
    }

    /** A text member of a flat JSON object. A real program takes a JSON library. */
    private static String member(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        if (!found.find()) {
            throw new IllegalStateException("there is no " + name + " in " + json);
        }
        return found.group(1);
    }
}
