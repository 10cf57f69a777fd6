package verifier;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

/** Verifies access tokens with Spring Security: one token a line in, one verdict a line out. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        String issuer = arguments[0];
        String audience = arguments[1];
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withIssuerLocation(issuer)
            .jwsAlgorithm(SignatureAlgorithm.ES256)
            .validateType(false)
            .build();
        decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(
            JwtValidators.createDefaultWithValidators(
                new org.springframework.security.oauth2.jwt.JwtIssuerValidator(issuer),
                new JwtTypeValidator("at+jwt")),
            new JwtClaimValidator<List<String>>("aud", it -> it != null && it.contains(audience))));
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                Jwt token = decoder.decode(line);
                System.out.println("ok " + token.getSubject());
            } catch (JwtException refused) {
                System.err.println(refused.getMessage());
                System.out.println("refused");
            }
        }
    }
}
