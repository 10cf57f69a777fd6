# 메일. `service`는 서버의 호스트 이름입니다.

mail-footer = 이 메일은 계정과 관련된 일이 있어 { $service }에서 보냈어요. 답장은 아무도 읽지 않아요.
mail-not-you-ignore = 본인이 한 일이 아니라면 아무것도 하지 않아도 돼요.
mail-you-nothing-to-do = 본인이 한 일이라면 아무것도 하지 않아도 돼요.
mail-valid-minutes = 링크는 { $count }분 동안 한 번만 쓸 수 있어요.
mail-valid-hours = 링크는 { $count }시간 동안 한 번만 쓸 수 있어요.
mail-valid-days = 링크는 { $count }일 동안 한 번만 쓸 수 있어요.
mail-time = 시각
mail-device = 기기
mail-address = IP 주소
mail-application = 애플리케이션
mail-new-email = 새 주소

mail-verify-subject = 이메일 주소를 확인해 주세요
mail-verify-body = 누군가 이 이메일 주소로 { $service }에 가입했어요. 본인의 주소가 맞다면 확인해서 가입을 마쳐 주세요.
mail-verify-action = 주소 확인하기

mail-exists-subject = 이미 계정이 있어요
mail-exists-body = 누군가 이 이메일 주소를 { $service } 계정에 쓰려고 했지만, 이미 계정이 있는 주소예요. 바뀐 것은 없어요.
mail-exists-sign-in = 로그인하기
mail-exists-recover = 새 비밀번호 정하기

mail-recover-subject = 새 비밀번호를 정해 주세요
mail-recover-body = { $service }에서 이 이메일 주소를 쓰는 계정의 새 비밀번호를 요청했어요.
mail-recover-action = 새 비밀번호 정하기
mail-recover-not-you = 본인이 한 일이 아니라면 아무것도 하지 않아도 돼요. 비밀번호는 그대로예요.

mail-new-email-subject = 새 이메일 주소를 확인해 주세요
mail-new-email-body = 이 주소를 { $service } 계정의 이메일 주소로 쓰려고 해요. 확인하면 바뀌어요.
mail-new-email-action = 새 주소 확인하기

mail-old-email-subject = 이메일 주소를 바꿀까요?
mail-old-email-body = { $service } 계정의 이메일 주소를 다른 주소로 바꾸려고 해요. 동의해야만 바뀌어요.
mail-old-email-action = 변경에 동의하기
mail-old-email-not-you = 본인이 한 일이 아니라면 동의하지 말고 비밀번호를 바꿔 주세요. 다른 사람이 내 계정에 로그인해 있어요.

mail-email-changed-subject = 이메일 주소가 바뀌었어요
mail-email-changed-body = { $service } 계정의 이메일 주소가 바뀌었어요. 앞으로 메일은 새 주소로 보내요.
mail-email-changed-action = 제가 하지 않았어요: 되돌리기

mail-password-subject = 비밀번호가 바뀌었어요
mail-password-body = { $service } 계정의 비밀번호가 바뀌었어요.
mail-password-action = 제가 하지 않았어요: 새 비밀번호 정하기

mail-signed-in-subject = 새 기기에서 로그인했어요
mail-signed-in-body = 전에 쓰지 않던 기기에서 { $service } 계정에 로그인했어요.
mail-signed-in-action = 세션 살펴보기

mail-reused-subject = 애플리케이션의 접근을 끝냈어요
mail-reused-body = { $service }와 함께 쓰는 애플리케이션의 토큰이 두 번 나타났어요. 누군가 훔쳤을 수 있어서, 보호하기 위해 접근을 끝냈어요.
mail-reused-action = 연결된 애플리케이션 살펴보기
mail-reused-note = 계속 쓰려면 그 애플리케이션에 다시 로그인해 주세요. 같은 일이 또 생기면 애플리케이션을 운영하는 곳에 알려 주세요.

mail-deletion-subject = 계정이 삭제될 예정이에요
mail-deletion-body = 요청하신 대로 { $service } 계정을 삭제할 예정이에요. 그 전까지는 되돌릴 수 있어요.
mail-deletion-time = 삭제 시각
mail-deletion-action = 계정 유지하기
mail-deletion-note = 본인이 한 일이 아니라면 계정을 유지하고 바로 비밀번호를 바꿔 주세요.
