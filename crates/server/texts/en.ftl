# The texts of pages and mails in English. A test holds that ko.ftl has the same messages.

# Everywhere
product = Munjigi
skip = Skip to the content
language = Language
optional = optional
continue = Continue
save = Save
allow = Allow
deny = Don't allow
leave = Cancel and go back
unknown = Unknown
unknown-device = Unknown device
request-id = Request

# Inputs
field-identifier = User name or e-mail
field-username = User name
field-username-hint = Letters, digits, dots, _ and -. You can sign in with it instead of your e-mail.
field-email = E-mail
field-new-email = New e-mail
field-name = Name
field-password = Password
field-current-password = Current password
field-new-password = New password
field-new-password-hint = At least 8 characters; several words in a row are easy to remember. You can paste it.
field-user-code = Code
field-user-code-hint = Upper or lower case, with or without the dash.

# What is wrong with what was sent
complaints-title = Please look at this again
complaint-missing = Please fill this in.
complaint-credentials = That name and password don't match.
complaint-password = That isn't your current password.
complaint-other-password = Another password was chosen at sign-up. Try again, or make this one your new password.
complaint-attempts =
    { $count ->
        [one] Too many attempts. Try again in { $count } second.
       *[other] Too many attempts. Try again in { $count } seconds.
    }
complaint-email-same = This is your address already.
complaint-username-taken = This user name is taken. Please choose another.
complaint-user-code = We don't know this code, or its time is up. Look at the device again.

# Signing in
login-title = Sign in
login-client = To continue to { $client }
login-account = To see your account
login-again = Please enter your password again, so that we know it's still you.
login-no-account = No account yet?
login-sign-up = Create one
login-password-title = Enter your password
login-other = Not you?
login-button = Sign in
login-forgot = Forgot your password?
select-title = Which account?
select-client = Choose an account to continue to { $client }
select-account = Choose an account to continue
select-button = Continue as { $name }
select-other = Use another account

# Making an account
sign-up-title = Create an account
sign-up-text = It takes a minute, and a look into your mailbox.
sign-up-button = Create account
sign-up-have = Already have an account?

# A forgotten password
recover-title = Forgot your password?
recover-text = Tell us your e-mail, and we'll send you a link to choose a new one.
recover-button = Send the link
recover-back = Back to signing in
new-password-title = Choose a new password
new-password-text = You'll be signed out on every other device.
new-password-button = Set the new password

# One question, one button
verify-title = Is this your e-mail?
verify-text = Confirm that { $email } is yours.
verify-button = Yes, confirm
verify-elsewhere-text = Somebody signed up with this address in another browser. If that was you, enter the password that you chose there.
verify-elsewhere-button = Confirm
verify-elsewhere-other = It wasn't you, or you don't remember? Type a new password above. Whoever signed up is signed out.
verify-elsewhere-replace = Make this my new password
change-email-title = Change your e-mail?
change-email-text = Your account's address will be { $email }, once it is confirmed from your old and your new mailbox.
change-email-button = Confirm the change
undo-email-title = Keep your old e-mail?
undo-email-text = Your account's address will be { $email } again. Everybody is signed out, and you choose a new password.
undo-email-button = Take the change back
sign-out-title = Sign out?
sign-out-text = You'll be signed out here and in the applications that you use with this account.
sign-out-client = { $client } asks to sign you out, here and in the applications that you use with this account.
sign-out-button = Sign out
keep-title = Keep your account?
keep-text = Your account will be deleted on { $date }. Until then you can change your mind.
keep-button = Keep my account

# What was done
onward-login = Sign in
onward-account = To your account
mailed-title = Check your mail
mailed-sign-up = We've sent a mail to { $email }. Open the link in it to go on. Nothing there? Look into your spam folder.
mailed-recovery = If there is an account with { $email }, a link is on its way. It's good for 15 minutes. Nothing there? Look into your spam folder.
mailed-change = We've sent a link to { $email } and one to your old address. The change is made when you have opened both.
verified-title = Your e-mail is confirmed
verified-text = Thank you. You can sign in now.
verified-elsewhere-text = Thank you. Go back to the application that you were on the way to, and sign in there.
password-set-title = Your password is changed
password-set-text = Every other device is signed out. Sign in with your new password.
device-allowed-title = Your device is signed in
device-allowed-text = You can go back to it and close this page.
device-denied-title = The device wasn't let in
device-denied-text = Nothing was shared. You can close this page.
change-sign-in-title = Sign in first
change-sign-in-text = Only you may give your account this address. Sign in in this browser, then open the link in the mail once more. You never asked for it? Close this page; nothing was changed.
change-half-title = One more to go
change-half-text = Now open the link in the other mailbox.
changed-title = Your e-mail is changed
changed-text = Your account's address is { $email } now. Still signed in somewhere that you don't know? End it under “Devices”.
undone-title = The change is taken back
undone-text = Your account's address is { $email } again. Everybody is signed out, and the password is gone, since somebody else may know it. We've sent you a link to choose a new one. It's good for 15 minutes; after that, “Forgot your password?” brings another.
deletion-title = Your account will be deleted
deletion-text = It is closed now, and deleted on { $date }. If you change your mind, sign in before then.
kept-title = Your account stays
kept-text = Good to have you back. Nothing was deleted.

# Consent
consent-title = { $client } asks for your permission
consent-host = You will be sent to
consent-unverified = Nobody here has checked this application. Go on only if you know this address.
consent-publisher = It is described by
consent-local = It runs on this device. Go on only if you started it yourself just now.
consent-may = It would like to
consent-while = While you are signed in. You can take it back at any time in your account.
consent-lasting =
    { $count ->
        [one] Also while you are away, up to { $count } day after it was last used. You can take it back at any time in your account.
       *[other] Also while you are away, up to { $count } days after it was last used. You can take it back at any time in your account.
    }
consent-never = It never sees your password.
consent-switch = Use another account
scope-openid = recognise you when you come back
scope-profile = see your name and user name
scope-email = see your e-mail address
scope-address = see your postal address
scope-phone = see your phone number
scope-groups = see which groups you are in
scope-roles = see which roles you have
scope-offline = stay connected while you are away
scope-other = use the permission “{ $scope }”
scope-api = use { $api } for you

# A device without a keyboard
device-title = Connect a device
device-text = Enter the code that your device shows.
device-confirm-title = Is this your device?
device-confirm-client = { $client } wants to sign in with your account
device-confirm-text = Compare the code with the one on your device.
device-from = Asked from
device-kind = Device
device-at = Asked at
device-unverified = Nobody here has checked this application. Go on only if you know it.
device-caution = Did somebody send you this code? Then don't allow it: they would get into your account.

# The own account
account-menu = Your account
account-overview = Overview
account-profile = Profile
account-email = E-mail
account-password = Password
account-sessions = Devices
account-applications = Applications
account-data = Your data
overview-title = Hello, { $name }
overview-verified = confirmed
overview-unverified = not confirmed
overview-verify = Send the confirmation mail again
overview-signed-in = Signed in here
overview-sessions =
    { $count ->
        [one] { $count } device is signed in
       *[other] { $count } devices are signed in
    }
overview-applications =
    { $count ->
        [one] { $count } application has access
       *[other] { $count } applications have access
    }
notice-profile = Your profile is saved.
notice-password = Your password is changed. Every other device is signed out.
notice-session = The device is signed out.
notice-others = Every other device is signed out.
notice-application = The application has no access any more.
notice-verification = We've sent you a link. Open it to confirm your address.
profile-text = This is how applications that you allow it know you.
email-text = Your address is { $email }. We'll send a link to it and one to the new address; the change is made when you have opened both.
email-none = Your account has no address yet. We'll send a link to the new one.
email-button = Send the links
password-text = Every other device will be signed out.
password-button = Change password
sessions-text = You are signed in on these devices. Don't know one? End it, and change your password.
sessions-this = this device
sessions-place = From
sessions-used = Last used
sessions-opened = Signed in
sessions-applications = Used for
sessions-end = Sign out
sessions-end-of = Sign out { $device }
sessions-end-others = Sign out every other device
applications-none = No application has access to your account.
applications-text = These applications have access to your account.
applications-since = Allowed
applications-remove = Remove
applications-remove-of = Remove the access of { $client }
export-title = A copy of your data
export-text = Everything that is stored about you here, as one JSON file.
export-button = Download the copy
delete-title = Delete your account
delete-offer = Your account and everything in it will be deleted. You have some days to change your mind.
delete-begin = Delete the account…
delete-text = You'll be signed out everywhere, and no application will have access any more.
delete-grace =
    { $count ->
        [one] For { $count } day you can take it back by signing in. Then everything is gone for good.
       *[other] For { $count } days you can take it back by signing in. Then everything is gone for good.
    }
delete-button = Delete my account

# What cannot go on
failed-not-found-title = There is nothing here
failed-not-found-text = The page may have moved, or the address has a typing error.
failed-client-title = This application is set up wrongly
failed-client-text = We don't know the application that sent you here. Please tell those who run it, with the number below.
failed-redirect-text = It wants its answer at an address that it didn't register. Please tell those who run it, with the number below.
failed-request-text = Its request is incomplete or broken. Please tell those who run it, with the number below.
failed-expired-title = That took a while
failed-expired-text = For your safety we've forgotten where you came from. Go back to the application and begin again.
failed-browser-title = This began in another browser
failed-browser-text = Go back to the application and begin again in this browser. If you see this often, allow cookies for this site.
failed-site-title = This came from another site
failed-site-text = For your safety nothing was done. Open the page again at its own address and try once more.
failed-unreadable-title = We couldn't read that
failed-unreadable-text = Go back and try once more.
failed-link-title = This link doesn't work any more
failed-link-text = It was used already, or its time is up. Ask for a new one.
failed-disabled-title = This account is closed
failed-disabled-text = Please ask those who run this service.
failed-off-title = This is switched off here
failed-off-text = Those who run this service don't offer it.
failed-many-title = A little slower, please
failed-many-text = There were too many attempts. Try again in a minute.
failed-busy-title = Very busy just now
failed-busy-text = Try again in a moment.
failed-internal-title = Something went wrong here
failed-internal-text = It's not your fault. If it happens again, please tell those who run this service, with the number below.
difference-title = The redirect URI of the client { $client }
difference-received = Came
difference-registered = Registered
difference-dev = You see this because the server runs in development. Register exactly what came, or send exactly what is registered.
difference-no-uri = what came is not an absolute URI
difference-spelling = same meaning, other spelling: every character counts
difference-none = (none)
difference-scheme = the scheme is { $got }, not { $own }
difference-host = the host is { $got }, not { $own }
difference-port = the port is { $got }, not { $own }
difference-path = the path is { $got }, not { $own }
difference-query = the query is { $got }, not { $own }
difference-fragment = the fragment is { $got }, not { $own }

# Signed out
signed-out-title = You are signed out
signed-out-text = Here, and in the applications that you used with this account.
signed-out-back = Back to { $client }
signed-out-again = Sign in again
signed-out-frame = Signing out of an application

# On the way to an application
form-post-title = One moment
form-post-text = You're being sent on to the application. If nothing happens, use the button.

# munjigi dev
dev-title = Munjigi is running
dev-text = In development, for this machine alone, at
dev-place-docs = API documentation
dev-place-mail = Mailbox
dev-place-account = Account pages
dev-place-sign-up = Sign-up
dev-place-discovery = Discovery document
dev-open-mailbox = Open the development mailbox
dev-sign-in-title = Sign in
dev-sign-in-text = As one of these people, by authorization code and PKCE, like any application.
dev-people = People to sign in as
dev-roles = Roles
dev-signed-in = Signed in: the token is below.
dev-token-title = The access token
dev-token-text = Three parts: header, payload, signature. Anybody can read it; only this server can write it.
dev-claim = Claim
dev-value = Value
dev-meaning = What it means
dev-call-title = Call a protected API
dev-call-text = The token goes along as Authorization: Bearer, and the API checks it by itself.
dev-call-button = Call the API
dev-revoke-title = Revoke it
dev-revoke-text = As a sign-out, a changed password or an administrator would.
dev-revoke-button = Revoke the token
dev-revoked = Revoked. Its signature is still right, and its time is not up.
dev-refused-title = See it refused
dev-refused-text = The same call with the same token.
dev-refused-button = Call the API again
dev-reset-button = Begin again
claim-alg = how it is signed
claim-kid = which key signed it: one of those that the server publishes
claim-typ = what kind of token it is, so that it isn't taken for another
claim-iss = who issued it: this server
claim-sub = whom it is about: an id that never changes
claim-aud = for which API it is; any other one refuses it
claim-exp = when it expires, in seconds since 1970
claim-iat = when it was issued
claim-nbf = from when on it is good
claim-jti = the id of this very token
claim-client-id = the application that it was issued to
claim-scope = what the application may do
claim-roles = what the person is
claim-groups = which groups the person is in
claim-permissions = what the person may do
claim-sid = the session that it belongs to; it ends with it
claim-gid = the permission that it was issued on: revoked with it, all of its tokens are over
claim-auth-time = when the person last proved who they are
claim-acr = how surely
claim-amr = by what means
claim-cnf = the key without which it is worth nothing
claim-other = further information of this server or your own
mailbox-title = Mailbox
mailbox-text = Nothing is sent in development: every mail ends up here.
mailbox-empty = No mail yet.
mailbox-json = The same as JSON
mailbox-back = Back to the mailbox
mail-to = To
mail-links = Links in this mail
