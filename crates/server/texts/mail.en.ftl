# Mails. `service` is the host of the server.

mail-footer = This mail was sent by { $service } because of something that happened with an account. Nobody reads answers to it.
mail-not-you-ignore = If this was not you, you need do nothing.
mail-you-nothing-to-do = If this was you, you need do nothing.
mail-valid-minutes =
    { $count ->
        [one] The link works once, for 1 minute.
       *[other] The link works once, for { $count } minutes.
    }
mail-valid-hours =
    { $count ->
        [one] The link works once, for 1 hour.
       *[other] The link works once, for { $count } hours.
    }
mail-valid-days =
    { $count ->
        [one] The link works once, for 1 day.
       *[other] The link works once, for { $count } days.
    }
mail-time = Time
mail-device = Device
mail-address = IP address
mail-application = Application
mail-new-email = New address

mail-verify-subject = Confirm your e-mail address
mail-verify-body = Somebody signed up at { $service } with this e-mail address. Confirm that it is yours to finish.
mail-verify-action = Confirm the address

mail-exists-subject = You already have an account
mail-exists-body = Somebody wanted to use this e-mail address for an account at { $service }. It has one already. Nothing was changed.
mail-exists-sign-in = Sign in
mail-exists-recover = Choose a new password

mail-recover-subject = Choose a new password
mail-recover-body = A new password was asked for at { $service } for the account with this e-mail address.
mail-recover-action = Choose a new password
mail-recover-not-you = If this was not you, you need do nothing: the password stays as it is.

mail-new-email-subject = Confirm your new e-mail address
mail-new-email-body = This e-mail address is to become the one of an account at { $service }. It takes effect once it is confirmed.
mail-new-email-action = Confirm the new address

mail-old-email-subject = Is your e-mail address to change?
mail-old-email-body = The e-mail address of your account at { $service } is to be replaced by another one. It changes only after you agree.
mail-old-email-action = Agree to the change
mail-old-email-not-you = If this was not you, do not agree, and choose a new password: somebody else is signed in as you.

mail-email-changed-subject = Your e-mail address was changed
mail-email-changed-body = The e-mail address of your account at { $service } was changed. Mails go to the new address from now on.
mail-email-changed-action = This was not me: undo the change

mail-password-subject = Your password was changed
mail-password-body = The password of your account at { $service } was changed.
mail-password-action = This was not me: choose a new password

mail-signed-in-subject = A new sign-in to your account
mail-signed-in-body = Somebody signed in to your account at { $service } on a device that was not used before.
mail-signed-in-action = Look at your sessions

mail-reused-subject = An application's access was ended
mail-reused-body = A token of an application that you use with { $service } turned up twice, which can mean that it was stolen. Its access was ended to protect you.
mail-reused-action = Look at connected applications
mail-reused-note = Sign in to the application again to go on using it. If this happens again, tell whoever runs the application.

mail-deletion-subject = Your account will be deleted
mail-deletion-body = Your account at { $service } will be deleted, as you asked. Until then you can take it back.
mail-deletion-time = It is deleted after
mail-deletion-action = Keep the account
mail-deletion-note = If this was not you, keep the account and choose a new password at once.
